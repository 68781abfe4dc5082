/**
 * A mutant: one guard of the rules, broken by an exact edit of the source, and the tests that ought to turn red for it.
 *
 * `find` stands in its file exactly once. When the source moves on the edit no longer applies, and both the run and
 * test/mutants/list.test.ts say so: a list that silently tests nothing would be worse than none.
 */

export interface Edit {
  /** Relative to the repository. */
  readonly file: string
  readonly find: string
  readonly replace: string
}

/** One run of vitest: a test file, or those of its tests whose full name matches. */
export interface Check {
  readonly file: string
  /** A regular expression over the test's full name. */
  readonly name?: string
}

export interface Mutant {
  /** Lower case with dashes; unique. */
  readonly name: string
  /** What the broken guard protects: what can happen without it. */
  readonly breaks: string
  /** Where the guard comes from: a section or an invariant of docs/semantics.md, or of docs/architecture.md. */
  readonly rule: string
  readonly edits: ReadonlyArray<Edit>
  /** In the order in which they are tried; the first that is red ends it. */
  readonly checks: ReadonlyArray<Check>
  /** Why nothing that anybody can observe changes. Such a mutant survives, and is an error when a test kills it after all. */
  readonly equivalent?: string
}

/** The model and all invariants over the runtime on memory: the widest net that is fast. contractHost.ts runs it. */
export const contract: Check = { file: "test/properties/model.test.ts", name: "'memory'" }

/** Mutants of one file of the source, each with one edit. */
export const inFile =
  (file: string) =>
  (mutant: Omit<Mutant, "edits"> & Omit<Edit, "file">): Mutant => {
    const { find, replace, ...rest } = mutant
    return { ...rest, edits: [{ file, find, replace }] }
  }

/** Why the edits can't be made, or the texts that they make of the files. */
export const applied = (
  mutant: Mutant,
  read: (file: string) => string,
): { readonly problem: string } | { readonly texts: ReadonlyMap<string, string> } => {
  const texts = new Map<string, string>()
  for (const { file, find, replace } of mutant.edits) {
    const text = texts.get(file) ?? read(file)
    const times = text.split(find).length - 1
    if (times !== 1) return { problem: `its snippet stands ${times} times in ${file}, not once: ${find.trim()}` }
    if (find === replace) return { problem: `its edit of ${file} changes nothing` }
    // As a function: a replacement may hold a dollar sign.
    texts.set(
      file,
      text.replace(find, () => replace),
    )
  }
  return { texts }
}
