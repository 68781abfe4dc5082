/**
 * The rules of the code scanner. Each says what it looks at, in which kinds of file, and why a reviewer should care.
 *
 * Patterns are linear: they run over lines that strangers wrote, so none repeats a repetition, and every gap is bounded.
 */
import type { FileKind } from "./kinds.ts"
import type { MaskedLine } from "./masking.ts"

export type Severity = "high" | "medium" | "low"

export interface RuleInfo {
  readonly id: string
  readonly severity: Severity
  readonly title: string
  readonly explanation: string
}

export interface LineRule extends RuleInfo {
  /** The kinds of file in which the rule means something; absent for all but prose and lock files. */
  readonly kinds?: readonly FileKind[]
  /** Where the rule matches in the line, or null. */
  readonly find: (line: ScannedLine) => number | null
}

export interface ScannedLine extends MaskedLine {
  readonly text: string
}

const inCode =
  (pattern: RegExp) =>
  ({ code }: ScannedLine): number | null =>
    pattern.exec(code)?.index ?? null

/** For what only shows in a string; the match must begin in code, or a warning about `md5` would warn of itself. */
const inText =
  (pattern: RegExp) =>
  ({ text, code }: ScannedLine): number | null => {
    const index = pattern.exec(text)?.index
    return index === undefined || code[index] === " " ? null : index
  }

const notProse: readonly FileKind[] = ["source", "test", "config", "example", "asset"]
export const defaultKinds = notProse

/** Where a shell command starts: a bare call or one on child_process, but never `pattern.exec(text)`. */
const shellCall = /(?:(?:^|[^\w.$])|\b(?:cp|child_?process|shell|shelljs|childProcess)\.)exec(?:Sync)?\s*\(/

const findShell = ({ text, code }: ScannedLine): number | null => {
  const call = shellCall.exec(code)
  if (call === null || /\b(?:function|def|async)\s*$/.test(code.slice(0, call.index + 1))) return null
  const open = call.index + call[0].length
  const first = firstArgument(code, open)
  // A sum of literals alone is a long line, not an injection.
  const joins = first.includes("${") || (first.includes("+") && /[A-Za-z_$]/.test(first))
  if (!joins) return null
  return /[^\w.$]/.test(text[call.index] ?? "") && call[0].length > 1 ? call.index + 1 : call.index
}

/** The code of a call's first argument, as far as the line goes. */
const firstArgument = (code: string, open: number): string => {
  let depth = 0
  for (let index = open; index < code.length; index += 1) {
    const char = code[index] ?? ""
    if ("([{".includes(char)) depth += 1
    else if (")]}".includes(char)) depth -= 1
    if (depth < 0 || (depth === 0 && char === ",")) return code.slice(open, index)
  }
  return code.slice(open)
}

const sqlString =
  /(?:^|[^\w])(["'`])\s{0,20}(?:SELECT\s[^"'`]{1,300}\sFROM\s|INSERT\s{1,5}INTO\s|UPDATE\s[^"'`]{1,300}\sSET\s|DELETE\s{1,5}FROM\s)/i

const findSql = ({ text, code }: ScannedLine): number | null => {
  const match = sqlString.exec(text)
  if (match === null) return null
  const quote = match[1] ?? ""
  const start = match.index + match[0].indexOf(quote)
  if (code[start] !== quote) return null
  // A tagged template (sql`…`) is not caught above: its tag stands before the backtick, and it binds its values.
  const rest = code.slice(start + 1)
  const joined = quote === "`" ? rest.includes("${") : new RegExp(`${quote}\\s{0,20}(?:\\+|%|\\.format\\()`).test(rest)
  return joined ? start : null
}

const findWeakRandom = ({ text, code }: ScannedLine): number | null => {
  const call = /\bMath\.random\s*\(/.exec(code)
  const secretish = /token|secret|passw|nonce|session|salt|\botp|csrf|api[_-]?key/i
  return call !== null && secretish.test(text) ? call.index : null
}

export const lineRules: readonly LineRule[] = [
  {
    id: "unsafe-eval",
    severity: "high",
    title: "Code made from text",
    explanation: "eval runs whatever its text says; if any of it comes from outside, so does the program.",
    find: inCode(/(?:^|[^\w.$])(?:(?:window|globalThis|global)\.)?eval\s*\(/),
  },
  {
    id: "unsafe-function-constructor",
    severity: "high",
    title: "Code made from text",
    explanation: "new Function is eval under another name, with access to every global.",
    find: inCode(/\bnew\s+Function\s*\(/),
  },
  {
    id: "unsafe-exec",
    severity: "high",
    title: "Shell command put together from values",
    explanation:
      "A value with a quote or a semicolon in it becomes a command of its own. Use execFile with a list of arguments.",
    find: findShell,
  },
  {
    id: "unsafe-shell",
    severity: "medium",
    title: "Process started through a shell",
    explanation: "With shell: true the arguments are read by a shell again, with its quotes, globs and semicolons.",
    find: inCode(/\bshell\s*[:=]\s*(?:true|True)\b/),
  },
  {
    id: "unsafe-html",
    severity: "medium",
    title: "Markup put into a page as text",
    explanation:
      "Whatever the value holds becomes part of the page, scripts included. Set textContent, or sanitize first.",
    find: inCode(
      /\.(?:inner|outer)HTML\s*\+?=(?!=)|\bdangerouslySetInnerHTML\b|\bdocument\.write(?:ln)?\s*\(|\.insertAdjacentHTML\s*\(/,
    ),
  },
  {
    id: "unsafe-sql",
    severity: "high",
    title: "SQL put together from values",
    explanation: "A value with a quote in it changes the statement. Pass it as a parameter.",
    find: findSql,
  },
  {
    id: "tls-disabled",
    severity: "high",
    title: "Verification of the other side turned off",
    explanation: "Without it anybody on the way can read and change the traffic, and nothing will look wrong.",
    find: inText(
      /\brejectUnauthorized["']?\s*[:=]\s*false|\bNODE_TLS_REJECT_UNAUTHORIZED["'\]]{0,2}\s*[:=]\s*["']?0|\bstrictSSL["']?\s*:\s*false|\bverify\s*=\s*False\b|\bInsecureSkipVerify\s*:\s*true|NSAllowsArbitraryLoads|\bcurl\s[^|;]{0,80}(?:\s-k\b|--insecure)/,
    ),
  },
  {
    id: "weak-hash",
    severity: "medium",
    title: "Broken hash function",
    explanation:
      "Collisions of MD5 and SHA-1 can be made at will. Fine for a cache key, never for a signature or a password.",
    find: inText(
      /\bcreateHash\s*\(\s*["'`](?:md4|md5|sha-?1)["'`]|\bhashlib\.(?:md5|sha1)\b|\bDigest::(?:MD5|SHA1)\b/i,
    ),
  },
  {
    id: "weak-cipher",
    severity: "medium",
    title: "Broken cipher",
    explanation: "DES, RC4 and the ECB mode hide little; createCipher makes a weak key and no initialization vector.",
    find: inText(/\bcreate(?:De|C)ipher\s*\(|\bcreate(?:De|C)ipheriv\s*\(\s*["'`](?:des|rc4|bf|aes-\d{3}-ecb)/i),
  },
  {
    id: "weak-random",
    severity: "high",
    title: "Guessable random value",
    explanation:
      "Math.random can be predicted from a few of its values. Use crypto.randomBytes or randomUUID for anything secret.",
    find: findWeakRandom,
  },
  {
    id: "debug-console",
    severity: "low",
    title: "Debug output",
    explanation: "Printing to the console in a library's code is most often left over from a search for a bug.",
    kinds: ["source"],
    find: inCode(/\bconsole\.(?:log|debug|trace|dir)\s*\(/),
  },
  {
    id: "debug-debugger",
    severity: "medium",
    title: "Breakpoint left behind",
    explanation: "A debugger statement stops the program wherever a debugger is attached.",
    find: inCode(/(?:^|[;{}\s])debugger\s*(?:;|$)|\bbreakpoint\(\)|\bpdb\.set_trace\(\)/),
  },
  {
    id: "test-focused",
    severity: "medium",
    title: "Only some tests run",
    explanation: "With .only every other test of the file is left out, and the build is green all the same.",
    kinds: ["test", "source"],
    find: inCode(/\b(?:it|test|describe|suite|context|specify)\.only\s*\(|(?:^|[^\w.$])(?:fit|fdescribe)\s*\(/),
  },
  {
    id: "test-skipped",
    severity: "medium",
    title: "Test turned off",
    explanation: "A skipped test looks like a passing one in a summary. It should say what it waits for.",
    kinds: ["test", "source"],
    find: inCode(
      /\b(?:it|test|describe|suite|context|specify)\.skip\s*\(|(?:^|[^\w.$])(?:xit|xdescribe|xtest)\s*\(|@(?:pytest\.mark\.skip|unittest\.skip)\b/,
    ),
  },
  {
    id: "check-disabled",
    severity: "low",
    title: "Check turned off",
    explanation: "A linter or a compiler was told to look away here. The reason should stand beside it.",
    find: ({ comment }) =>
      /\beslint-disable|@ts-(?:ignore|nocheck)\b|\bbiome-ignore\b|\bnoqa\b|type:\s*ignore\b/.exec(comment)?.index ??
      null,
  },
  {
    id: "todo",
    severity: "low",
    title: "Unfinished work",
    explanation: "A note to do it later is a promise without a date. It should name an issue.",
    find: ({ comment }) => /\b(?:TODO|FIXME|HACK|XXX)\b/.exec(comment)?.index ?? null,
  },
]

/** Rules that are not found by looking at code: their text is here so that a report can explain every finding. */
export const otherRules: readonly RuleInfo[] = [
  {
    id: "secret-aws-key",
    severity: "high",
    title: "AWS access key",
    explanation:
      "Whoever reads the repository can use it. Revoke it: removing it from the code does not remove it from history.",
  },
  {
    id: "secret-private-key",
    severity: "high",
    title: "Private key",
    explanation: "A private key in a repository is no longer private. Replace it, and load the new one from outside.",
  },
  {
    id: "secret-in-url",
    severity: "high",
    title: "Password in an address",
    explanation: "Addresses end up in logs and error messages, and the password with them.",
  },
  {
    id: "secret-assigned",
    severity: "high",
    title: "Secret written into the code",
    explanation: "The name says secret and the value looks random. Load it from the environment or a secret store.",
  },
  {
    id: "secret-high-entropy",
    severity: "medium",
    title: "Text that looks like a secret",
    explanation: "Long and random: a key, or data that should say what it is.",
  },
  {
    id: "binary-program",
    severity: "medium",
    title: "Program added or replaced as a binary",
    explanation: "Nobody can review it. It should be built from source, or its origin and checksum written down.",
  },
  {
    id: "large-blob",
    severity: "medium",
    title: "Large content added",
    explanation: "Too large to be read by a person, and in the history for ever.",
  },
  {
    id: "made-executable",
    severity: "low",
    title: "File made executable",
    explanation: "It can now be run by its name. Make sure that this is meant.",
  },
]

export const ruleInfo: ReadonlyMap<string, RuleInfo> = new Map(
  [...lineRules, ...otherRules].map((rule) => [rule.id, rule]),
)
