/** What the agent remembers over its own death: the conversation, and an answer of the model that it has not acted on yet. */
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import type OpenAI from "openai"

export interface Memory {
  readonly input: Array<OpenAI.Responses.ResponseInputItem>
  answer: Pick<OpenAI.Responses.Response, "output" | "output_text"> | null
}

export const openMemory = (folder: string) => {
  const path = join(folder, "conversation.json")
  const memory: Memory = existsSync(path)
    ? JSON.parse(readFileSync(path, "utf8"))
    : { input: [{ role: "user", content: "Bring production up to date." }], answer: null }
  /** Whole or not at all: a death in the middle leaves the old one. */
  const save = (): void => {
    writeFileSync(`${path}.new`, JSON.stringify(memory, null, 2))
    renameSync(`${path}.new`, path)
  }
  return { memory, save }
}
