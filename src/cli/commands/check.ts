/** `handrail check FILE...`: compiles definitions with their contracts, and shows every mistake with its place and its fix. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"

export const check: CommandSpec = {
  name: "check",
  summary: "compile definitions and show every mistake",
  about: [
    "Reads workflow.yaml with the session.yaml and tool contracts that it names, and reports all mistakes at once, each with " +
      "its place and, where one is known, its fix. Warnings name rules that probably do not do what they look like.",
  ],
  arguments: [
    {
      name: "FILE",
      describe: "a workflow.yaml, or a directory that holds one (default: .)",
      required: false,
      many: true,
    },
  ],
  options: {
    strict: { kind: "flag", describe: "count warnings as mistakes" },
    json: { kind: "flag", describe: "print the result as JSON" },
  },
  examples: [
    { command: "handrail check governance/workflow.yaml", what: "one definition" },
    { command: "handrail check --strict teams/*/governance", what: "many, in CI" },
    { command: "handrail check . --json | jq '.files[].diagnostics'", what: "for another program" },
  ],
  exits: [
    [exitCodes.ok, "everything compiles"],
    [exitCodes.found, "a definition does not compile, or has warnings with --strict"],
    [exitCodes.usage, "wrong usage, or a file that can't be read"],
  ],
  run: async (input, terminal) => {
    const { formatDiagnostics } = await import("../../definition/formatDiagnostics.ts")
    const { loadFile } = await import("../definitionFile.ts")
    const loaded = (input.args.length === 0 ? ["."] : input.args).map(loadFile)
    const files = loaded.map((one) =>
      one.ok
        ? { file: one.file, ok: true, hash: one.artifact.hash, diagnostics: one.warnings }
        : { file: one.file, ok: false, hash: null, diagnostics: one.diagnostics },
    )
    const ok = files.every((one) => one.ok && !(input.flag("strict") && one.diagnostics.length > 0))
    if (input.flag("json")) terminal.print(JSON.stringify({ ok, files }, null, 2))
    else
      for (const { file, hash, diagnostics } of files) {
        if (diagnostics.length > 0) terminal.print(formatDiagnostics(diagnostics).trimEnd())
        if (hash !== null)
          terminal.print(`${terminal.paint("green", "ok")} ${file} ${terminal.paint("dim", hash.slice(0, 12))}`)
      }
    return ok ? exitCodes.ok : exitCodes.found
  },
}
