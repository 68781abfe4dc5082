/** What the model says: it translates, then it says so. In life you leave this file out, and give the client its key. */
import type { Script } from "../scripted-model/ScriptedModel.ts"

/** A translation costs what it costs, so that the purse is empty at about the same place each time. */
const usage = { input: 800, output: 200 }

export const script: Script = ({ turn, prompt }) =>
  turn === 0
    ? { calls: [{ tool: "save_translation", args: { text: prompt, translation: `«${prompt}»` } }], usage }
    : { text: "It is saved.", usage }

/** Per million tokens. */
export const prices = { "gpt-5-mini": { input: 2.5, output: 10 } }
