/** `handrail mcp proxy`: an MCP server that stands before another one and governs its tools by contracts. */
import type { Client } from "../../runtime/Client.ts"
import { CommandError, type CommandSpec, UsageError } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { Input } from "../Input.ts"
import { sessionOptions } from "../mcpSession.ts"
import type { Terminal } from "../Terminal.ts"
import { targetOptions } from "../target.ts"

export const mcpProxy: CommandSpec = {
  name: "mcp proxy",
  summary: "govern the tools of another MCP server by contracts",
  about: [
    "Put it in place of an MCP server in a host's configuration, and that server's command after `--`. Its tools are " +
      "listed as far " +
      "as the contracts allow them now, and a call that they refuse never reaches it. Resources, prompts, progress and " +
      "logging " +
      "pass through.",
    "With --workflow the calls are steps of a session in that workflow, which holds resources and budgets, and a kill " +
      "of it cancels " +
      "what is running; without, the contracts hold in this process only. When the host has gone, the session stays active: " +
      "start it again with the same --session.",
    "Needs @modelcontextprotocol/sdk, which is installed beside handrail.",
  ],
  arguments: [
    { name: "COMMAND", describe: "the server to govern, and its arguments, after --", required: false, many: true },
  ],
  options: {
    contracts: { kind: "text", value: "DIR", describe: "the directory of session.yaml and tool contracts; required" },
    upstream: {
      kind: "text",
      value: "URL",
      describe: "a server on HTTP, in place of COMMAND (its key: HANDRAIL_UPSTREAM_KEY)",
    },
    ...sessionOptions,
    ...targetOptions,
  },
  examples: [
    { command: "handrail mcp proxy --contracts governance/worker -- npx some-server", what: "contracts alone" },
    {
      command: "handrail mcp proxy --contracts governance/lead --workflow pr-42 --role lead -- npx some-server",
      what: "in a workflow, whose workflow.yaml is found above the contracts",
    },
  ],
  exits: [
    [exitCodes.ok, "the host has gone, or it was asked to stop"],
    [exitCodes.found, "refused: a contract that does not compile, no session, a server that does not answer, no SDK"],
    [exitCodes.usage, "wrong usage"],
  ],
  run: async (input, terminal) => {
    const { requireSdk, workflowOf } = await import("../mcpSession.ts")
    await requireSdk()
    const workflow = workflowOf(input)
    if (workflow === undefined) {
      for (const name of ["workflow", "session", "url", "store"])
        if (input.flag(name)) throw new UsageError(`--${name} is of a workflow: give --workflow and --role, too`)
      return run(input, terminal, undefined)
    }
    const { withClient } = await import("../target.ts")
    return withClient(input, terminal, (client) => run(input, terminal, client), { created: input.flag("store") })
  },
}

const run = async (input: Input, terminal: Terminal, runtime: Client | undefined): Promise<number> => {
  const contractsDir = input.text("contracts")
  if (contractsDir === undefined) throw new UsageError("say where the contracts are: --contracts DIR")
  const { makeProxy } = await import("../../mcp/proxy/ProxyServer.ts")
  const { Upstream, UpstreamFailed } = await import("../../mcp/proxy/Upstream.ts")
  const { serveStdio } = await import("../../mcp/stdio.ts")
  const { ReplayConfigError } = await import("../../sdk/errors.ts")
  const { replay } = await import("../../sdk/replay.ts")
  const { agentOf, workflowOf } = await import("../mcpSession.ts")
  const { stopSignal } = await import("../signals.ts")
  const { version } = await import("../version.ts")
  const log = (line: string): void => terminal.tell(`handrail mcp proxy: ${line}`)
  const place = placeOf(input, terminal.env)
  const { signal, release } = stopSignal(() => process.exit(exitCodes.found))
  try {
    const upstream = await Upstream.connect(place, version())
    upstream.onGone = log
    const workflow = workflowOf(input)
    const [sessionId, definition] = [input.text("session"), input.text("definition")]
    try {
      const { server, session } = await makeProxy({
        upstream,
        version: version(),
        log,
        open: (tools) =>
          replay(null, {
            agent: agentOf(input),
            contractsDir,
            tools,
            ...(workflow === undefined ? {} : { workflow, runtime }),
            ...(sessionId === undefined ? {} : { sessionId }),
            ...(definition === undefined ? {} : { workflowYamlPath: definition }),
          }),
      })
      await serveStdio(server, signal)
      await session.close()
    } finally {
      await upstream.close()
    }
    return exitCodes.ok
  } catch (error) {
    if (error instanceof UpstreamFailed) throw new CommandError("upstream_failed", error.message)
    if (error instanceof ReplayConfigError) throw new CommandError("invalid_contracts", error.message)
    throw error
  } finally {
    release()
  }
}

const placeOf = (input: Input, env: Terminal["env"]) => {
  const [command, ...args] = input.args
  const url = input.text("upstream")
  if ((command === undefined) === (url === undefined))
    throw new UsageError("say which server to govern: its command after --, or its --upstream URL")
  if (command !== undefined) return { command, args }
  if (url === undefined || !URL.canParse(url) || !/^https?:/.test(url))
    throw new UsageError("--upstream takes a URL such as http://127.0.0.1:4100/mcp")
  return { url, key: env.HANDRAIL_UPSTREAM_KEY }
}
