/**
 * The bound of everything that a definition may hold. Each has a diagnostic at the limit.
 *
 * A definition arrives over the network, so these bounds are also what keeps a hostile one from taking the process down:
 * V8 aborts the whole process when a regular expression is compiled on an exhausted stack, which a megabyte of `- - - -`
 * brings about inside the YAML composer. Nesting is therefore measured on tokens, before anything recurses.
 */
export const bounds = {
  fileBytes: 1024 * 1024,
  files: 1000,
  totalBytes: 8 * 1024 * 1024,
  /** Lexical tokens of one file: some 25,000 lines of `key: value`. */
  tokens: 100_000,
  /** Levels of nesting of one file. */
  depth: 64,
  /** Columns of indentation, and block indicators on one line: what bounds the composer's own recursion. */
  indentColumns: 128,
  indicatorsPerLine: 32,
  aliases: 100,
  /** Nodes of one file after each alias has been replaced by what it names. */
  nodes: 50_000,
  /** Of a compiled artifact: all its files together, and the levels that compiling puts around them. */
  artifactNodes: 1_000_000,
  artifactDepth: 80,
  roles: 500,
  handoffs: 2000,
  resources: 500,
  toolsPerRole: 500,
  listItems: 1000,
  /** Of each severity. */
  diagnostics: 500,
  /** Diagnostics for which a fix is looked for: comparing names is the dear part. */
  suggestions: 100,
  /** Characters of the offending line that a diagnostic keeps. */
  excerptChars: 240,
  /** Calls that a session remembers to find loops in. */
  loopWindow: 1000,
  textChars: 2000,
  regexChars: 1000,
  schemaReferences: 200,
  summaryProblems: 20,
  /** Levels of a summary that is checked against a schema. */
  summaryDepth: 100,
  /** 1e9 units of the currency. */
  amount: 1_000_000_000,
  durationMs: 3650 * 24 * 3600 * 1000,
  count: Number.MAX_SAFE_INTEGER,
} as const
