/** Every command, by name. A file is loaded when its command is asked for. */
import type { CommandSpec } from "./Command.ts"

export interface CommandEntry {
  /** As its specification has it. */
  readonly name: string
  readonly summary: string
  /** Under which title `--help` lists it. */
  readonly section: string
  readonly load: () => Promise<CommandSpec>
}

const definitions = "Definitions"
const server = "The server and its store"
const work = "Workflows"
const agents = "Agents"
const shell = "This command"

export const commands: ReadonlyArray<CommandEntry> = [
  {
    name: "init",
    summary: "write a commented governance folder to start from",
    section: definitions,
    load: async () => (await import("./commands/init.ts")).init,
  },
  {
    name: "check",
    summary: "compile definitions and show every mistake",
    section: definitions,
    load: async () => (await import("./commands/check.ts")).check,
  },
  {
    name: "simulate",
    summary: "run good and bad agents on a definition and tell what can happen",
    section: definitions,
    load: async () => (await import("./commands/simulate.ts")).simulate,
  },
  {
    name: "serve",
    summary: "serve the HTTP API on a store",
    section: server,
    load: async () => (await import("./commands/serve.ts")).serve,
  },
  {
    name: "keys create",
    summary: "make an API key and show it once",
    section: server,
    load: async () => (await import("./commands/keysCreate.ts")).keysCreate,
  },
  {
    name: "keys list",
    summary: "list the API keys, without their secrets",
    section: server,
    load: async () => (await import("./commands/keysList.ts")).keysList,
  },
  {
    name: "keys rotate",
    summary: "make another key like an old one, and let the old one run out",
    section: server,
    load: async () => (await import("./commands/keysRotate.ts")).keysRotate,
  },
  {
    name: "keys revoke",
    summary: "end an API key now",
    section: server,
    load: async () => (await import("./commands/keysRevoke.ts")).keysRevoke,
  },
  {
    name: "verify",
    summary: "verify the hash chains of a store and all that follows from them",
    section: server,
    load: async () => (await import("./commands/verify.ts")).verify,
  },
  {
    name: "export",
    summary: "write a workflow's journal as lines of JSON",
    section: server,
    load: async () => (await import("./commands/export.ts")).exportCommand,
  },
  {
    name: "import",
    summary: "put an exported workflow into a store",
    section: server,
    load: async () => (await import("./commands/import.ts")).importCommand,
  },
  {
    name: "doctor",
    summary: "check store, migrations, clock, disk, keys and versions",
    section: server,
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  {
    name: "workflows list",
    summary: "list workflows, newest first",
    section: work,
    load: async () => (await import("./commands/workflowsList.ts")).workflowsList,
  },
  {
    name: "workflows show",
    summary: "show one workflow: its tree, what it holds, what is left to spend",
    section: work,
    load: async () => (await import("./commands/workflowsShow.ts")).workflowsShow,
  },
  {
    name: "workflows watch",
    summary: "watch one workflow live, as a tree",
    section: work,
    load: async () => (await import("./commands/workflowsWatch.ts")).workflowsWatch,
  },
  {
    name: "events",
    summary: "print the events of a workflow, and follow them",
    section: work,
    load: async () => (await import("./commands/events.ts")).events,
  },
  {
    name: "kill",
    summary: "kill a workflow, a subtree or a session, for good",
    section: work,
    load: async () => (await import("./commands/kill.ts")).kill,
  },
  {
    name: "handoffs reclaim",
    summary: "take a claimed handoff back from its claimant",
    section: work,
    load: async () => (await import("./commands/handoffsReclaim.ts")).handoffsReclaim,
  },
  {
    name: "handoffs withdraw",
    summary: "withdraw an offer that nobody has claimed",
    section: work,
    load: async () => (await import("./commands/handoffsWithdraw.ts")).handoffsWithdraw,
  },
  {
    name: "resolve",
    summary: "say what became of a step whose outcome is unknown",
    section: work,
    load: async () => (await import("./commands/resolve.ts")).resolve,
  },
  {
    name: "approvals list",
    summary: "list the steps that await approval",
    section: work,
    load: async () => (await import("./commands/approvalsList.ts")).approvalsList,
  },
  {
    name: "approvals approve",
    summary: "let a step that awaits approval run",
    section: work,
    load: async () => (await import("./commands/approvalsApprove.ts")).approvalsApprove,
  },
  {
    name: "approvals reject",
    summary: "abort a step that awaits approval",
    section: work,
    load: async () => (await import("./commands/approvalsReject.ts")).approvalsReject,
  },
  {
    name: "limits raise",
    summary: "raise limits of a running workflow",
    section: work,
    load: async () => (await import("./commands/limitsRaise.ts")).limitsRaise,
  },
  {
    name: "mcp",
    summary: "let agents take part through MCP",
    section: agents,
    load: async () => (await import("./commands/mcp.ts")).mcp,
  },
  {
    name: "mcp proxy",
    summary: "govern the tools of another MCP server by contracts",
    section: agents,
    load: async () => (await import("./commands/mcpProxy.ts")).mcpProxy,
  },
  {
    name: "completion",
    summary: "print a completion script for your shell",
    section: shell,
    load: async () => (await import("./commands/completion.ts")).completion,
  },
]

/** The first words of the commands that have two, and are none by themselves: `keys`. */
export const groupsOf = (entries: ReadonlyArray<CommandEntry> = commands): ReadonlyArray<string> => [
  ...new Set(
    entries.flatMap(({ name }) => {
      const [first = name] = name.split(" ")
      return first === name || entries.some((other) => other.name === first) ? [] : [first]
    }),
  ),
]

/** The second words of a group. */
export const membersOf = (group: string): ReadonlyArray<string> =>
  commands.flatMap(({ name }) => (name.startsWith(`${group} `) ? [name.slice(group.length + 1)] : []))
