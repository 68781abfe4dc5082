/**
 * One line of code, taken apart: what is code, what is comment, what is only the content of a string.
 *
 * A scanner that can't tell them apart warns of `"never call eval("` in a message. It sees single lines of a diff, so it
 * can't know that a block comment or a template began above; the guess errs towards code, because a finding too many
 * costs a look and a finding too few costs more.
 */

export type Language = "c-like" | "hash" | "text"

const cLike = /\.(?:[cm]?[jt]sx?|go|rs|java|kt|swift|cs?|cc|cpp|h|hpp|m|php|vue|svelte|s?css)$/
const hash =
  /\.(?:py|rb|sh|bash|zsh|ps1|pl|ya?ml|toml|properties|env|conf)$|(?:^|\/)(?:dockerfile|makefile|\.env[^/]*)$/

export const languageOf = (path: string): Language => {
  const lower = path.toLowerCase()
  if (cLike.test(lower)) return "c-like"
  return hash.test(lower) ? "hash" : "text"
}

export interface MaskedLine {
  /** The line with the content of its strings and comments replaced by blanks: the same length, the same columns. */
  readonly code: string
  /** The line with everything but its comments replaced by blanks. All of it, where the file has no comments to tell. */
  readonly comment: string
}

const blanks = (length: number): string => " ".repeat(length)

export const maskLine = (text: string, language: Language): MaskedLine => {
  if (language === "text") return { code: text, comment: text }
  const first = text.trimStart()
  if (language === "c-like" && /^\*(?:\s|\/|$)/.test(first)) return { code: blanks(text.length), comment: text }
  return new Masker(text, language).run()
}

class Masker {
  readonly #text: string
  readonly #language: Language
  #index = 0
  #code = ""
  #comment = ""
  /** The templates that are open, each with the braces that are open in its `${}`. */
  readonly #templates: number[] = []

  constructor(text: string, language: Language) {
    this.#text = text
    this.#language = language
  }

  run(): MaskedLine {
    while (this.#index < this.#text.length) this.#step()
    return { code: this.#code, comment: this.#comment }
  }

  #step(): void {
    const char = this.#text[this.#index] ?? ""
    if (this.#startsLineComment()) this.#take("comment", this.#text.length)
    else if (this.#language === "c-like" && this.#text.startsWith("/*", this.#index)) {
      const end = this.#text.indexOf("*/", this.#index + 2)
      this.#take("comment", end < 0 ? this.#text.length : end + 2)
    } else if (char === '"' || char === "'") this.#string(char)
    else if (char === "`" && this.#language === "c-like") this.#template()
    else if (char === "/" && this.#language === "c-like") this.#slash()
    else if (char === "}" && this.#templates.at(-1) === 0) {
      this.#templates.pop()
      this.#template()
    } else {
      this.#brace(char)
      this.#take("code", this.#index + 1)
    }
  }

  #brace(char: string): void {
    const depth = this.#templates.at(-1)
    if (depth === undefined || (char !== "{" && char !== "}")) return
    this.#templates[this.#templates.length - 1] = depth + (char === "{" ? 1 : -1)
  }

  #startsLineComment(): boolean {
    if (this.#language === "c-like")
      return this.#text.startsWith("//", this.#index) && this.#text[this.#index - 1] !== ":"
    return this.#text[this.#index] === "#" && /^\s?$/.test(this.#text[this.#index - 1] ?? "")
  }

  /** Copies up to `end` to one side, and blanks to the other; strings go to neither. */
  #take(side: "code" | "comment" | "neither", end: number): void {
    const part = this.#text.slice(this.#index, end)
    this.#code += side === "code" ? part : blanks(part.length)
    this.#comment += side === "comment" ? part : blanks(part.length)
    this.#index = end
  }

  /** A quote without its partner is an apostrophe in prose or markup: it hides nothing. */
  #string(quote: string): void {
    const end = closing(this.#text, this.#index + 1, quote)
    this.#take("code", this.#index + 1)
    if (end === null) return
    this.#take("neither", end)
    this.#take("code", end + 1)
  }

  /** From a backtick, or the brace that ends a `${}`, to the next `${` or to the end: `${` stays, it tells of input. */
  #template(): void {
    this.#take("code", this.#index + 1)
    const start = this.#index
    for (let index = start; index < this.#text.length; index += 1) {
      if (this.#text[index] === "\\") index += 1
      else if (this.#text[index] === "`") {
        this.#take("neither", index)
        this.#take("code", index + 1)
        return
      } else if (this.#text.startsWith("${", index)) {
        this.#take("neither", index)
        this.#templates.push(0)
        this.#take("code", index + 2)
        return
      }
    }
    this.#take("neither", this.#text.length)
  }

  /** A regular expression may hold quotes; after a value, a slash divides. */
  #slash(): void {
    const before = this.#code.trimEnd()
    const isPattern = before === "" || /[(,=:[!&|?{};+]$|\b(?:return|typeof|case)$/.test(before)
    const end = isPattern ? closing(this.#text, this.#index + 1, "/") : null
    this.#take("code", this.#index + 1)
    if (end === null) return
    this.#take("neither", end)
    this.#take("code", end + 1)
  }
}

const closing = (text: string, from: number, quote: string): number | null => {
  for (let index = from; index < text.length; index += 1) {
    if (text[index] === "\\") index += 1
    else if (text[index] === quote) return index
  }
  return null
}
