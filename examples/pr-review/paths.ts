/**
 * Paths as they stand in the headers of a diff: quoted, prefixed, or neither.
 *
 * git quotes a path that holds a quote, a backslash, a control character or (by default) a byte beyond ASCII, in the
 * manner of C with octal escapes of the UTF-8 bytes. `a/` and `b/` are only the usual prefixes: `diff.mnemonicPrefix`
 * makes them `i/` and `w/`, `--no-prefix` leaves them out.
 */

export interface Prefixes {
  readonly old: string
  readonly new: string
}

export interface HeaderPaths {
  readonly oldPath: string | null
  readonly newPath: string | null
  /** Null where the header can't tell, as for a rename with blanks in its names. */
  readonly prefixes: Prefixes | null
}

const noPrefixes: Prefixes = { old: "", new: "" }
const knownPrefix = /^[abciow12]\//

/** The two paths of `diff --git OLD NEW`; both null where blanks make it ambiguous, and later headers tell. */
export const gitHeaderPaths = (text: string): HeaderPaths => {
  const names = split(text)
  if (names !== null) {
    const [oldName, newName] = [unquote(names.old), unquote(names.new)]
    const prefixes = prefixesOf(oldName, newName)
    const oldPath = oldName.slice(prefixes.old.length)
    const newPath = newName.slice(prefixes.new.length)
    if (names.certain || oldPath === newPath) return { oldPath, newPath, prefixes }
  }
  const guess = /^([abciow12]\/).* ([abciow12]\/)/.exec(text)
  const [oldPrefix, newPrefix] = [guess?.[1], guess?.[2]]
  const known = oldPrefix !== undefined && newPrefix !== undefined && oldPrefix !== newPrefix
  return { oldPath: null, newPath: null, prefixes: known ? { old: oldPrefix, new: newPrefix } : null }
}

/**
 * Two names out of one text. Quotes, or a single blank, leave no doubt where the first one ends. Otherwise only two
 * equal names are certain, with the blank between them in the middle; a rename says more in its own headers.
 */
const split = (text: string): { old: string; new: string; certain: boolean } | null => {
  const at = (blank: number, certain: boolean) =>
    text[blank] === " " ? { old: text.slice(0, blank), new: text.slice(blank + 1), certain } : null
  if (text.startsWith('"')) return at(quotedEnd(text) ?? -1, true)
  if (text.endsWith('"')) return at(text.indexOf(' "'), true)
  const only = text.indexOf(" ")
  return only === text.lastIndexOf(" ") ? at(only, true) : at((text.length - 1) / 2, false)
}

const prefixesOf = (oldName: string, newName: string): Prefixes => {
  const [oldPrefix, newPrefix] = [knownPrefix.exec(oldName)?.[0], knownPrefix.exec(newName)?.[0]]
  // Two equal "prefixes" are a directory of that name in a diff without prefixes.
  if (oldPrefix === undefined || newPrefix === undefined || oldPrefix === newPrefix) return noPrefixes
  return { old: oldPrefix, new: newPrefix }
}

/** The path of a `---` or `+++` line without its prefix; null for `/dev/null`, which is no file. */
export const headerPath = (raw: string, prefix: string): string | null => {
  // Unquoted, a tab ends the name: diff -u puts a time after it, git puts nothing after it when the name has blanks.
  const name = raw.startsWith('"') ? unquote(raw.slice(0, quotedEnd(raw) ?? raw.length)) : (raw.split("\t")[0] ?? raw)
  if (name === "/dev/null") return null
  return name.startsWith(prefix) ? name.slice(prefix.length) : name
}

/** The index after the closing quote of a text that starts with one. */
const quotedEnd = (text: string): number | null => {
  for (let index = 1; index < text.length; index += 1) {
    if (text[index] === "\\") index += 1
    else if (text[index] === '"') return index + 1
  }
  return null
}

const escapes: Readonly<Record<string, number>> = { a: 7, b: 8, t: 9, n: 10, v: 11, f: 12, r: 13, '"': 34, "\\": 92 }

/** Undoes git's quoting; a name that is not quoted is returned as it is. */
export const unquote = (name: string): string => {
  if (name.length < 2 || !name.startsWith('"') || !name.endsWith('"')) return name
  const parts: Buffer[] = []
  const pattern = /\\([0-3][0-7]{2})|\\(.)|([^\\]+)/gsu
  for (const [, octal, escaped, literal] of name.slice(1, -1).matchAll(pattern)) {
    if (octal !== undefined) parts.push(Buffer.of(Number.parseInt(octal, 8)))
    else if (escaped !== undefined)
      parts.push(Buffer.from(String.fromCodePoint(escapes[escaped] ?? escaped.codePointAt(0) ?? 0)))
    else parts.push(Buffer.from(literal ?? ""))
  }
  return Buffer.concat(parts).toString("utf8")
}
