/** What the model says, answer by answer. In life you leave this file out, and give the client its key. */
import type { Answer, Script } from "../scripted-model/ScriptedModel.ts"

const deploy = (version: string): Answer => ({
  calls: [{ tool: "deploy", args: { environment: "production", version } }],
})

export const script: Script = ({ turn, told }) => {
  const answers: ReadonlyArray<Answer> = [
    { calls: [{ tool: "run_tests", args: { branch: "main" } }] },
    deploy("1.4.2"),
    deploy("1.4.3"),
    deploy("2.0.0"),
    { text: `1.4.3 is live. 2.0.0 is not: ${told.join(" ")}` },
  ]
  return answers[turn] ?? { text: "Done." }
}
