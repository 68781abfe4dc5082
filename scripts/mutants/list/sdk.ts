/** Guards of what an agent's author sees: leases, kills, keys and receipts (semantics.md §5, §8, §9). */
import { inFile, type Mutant } from "../Mutant.ts"

const heartbeats = inFile("src/sdk/link/Heartbeats.ts")
const life = inFile("src/sdk/link/Life.ts")
const link = inFile("src/sdk/link/SessionLink.ts")
const runner = inFile("src/sdk/tools/ToolRunner.ts")

const beats = { file: "test/sdk/heartbeats.test.ts" }
const linked = { file: "test/sdk/link.test.ts" }
const kill = { file: "test/sdk/kill.test.ts" }
const replay = { file: "test/sdk/replay.test.ts" }
const resume = { file: "test/sdk/resume.test.ts" }
const tools = { file: "test/sdk/tools.test.ts" }

export const sdkMutants: ReadonlyArray<Mutant> = [
  heartbeats({
    name: "lease-beats",
    breaks: "A claimant that thinks before its first step loses its handoff.",
    rule: "§9",
    find: `    if (this.#isStopped) return\n    // What is refused`,
    replace: `    if (this.#isStopped || this.#handoffId !== "") return\n    // What is refused`,
    checks: [beats],
  }),
  heartbeats({
    name: "lease-beats-in-time",
    breaks: "The next beat comes when the lease has run out.",
    rule: "§9",
    find: `Math.floor((handoff.deadline - handoff.updatedAt) / 3)`,
    replace: `Math.floor((handoff.deadline - handoff.updatedAt) * 3)`,
    checks: [beats],
  }),
  heartbeats({
    name: "lease-beats-end",
    breaks: "A claimant beats on after its first committed step.",
    rule: "§9",
    find: `if (claimDeadline === null) return this.stop()`,
    replace: `if (claimDeadline === 0) return this.stop()`,
    checks: [beats],
  }),
  runner({
    name: "kill-aborts-the-tool",
    breaks: "A tool runs on under a killed session.",
    rule: "§8",
    find: `life.onEnd((why) => controller.abort(why))`,
    replace: `life.onEnd(() => {})`,
    checks: [linked],
  }),
  life({
    name: "kill-aborts-the-session-signal",
    breaks: "Whatever listens to the session's own signal never hears of its kill.",
    rule: "§8",
    find: `    if (abort) this.#controller.abort(why)\n`,
    replace: "",
    checks: [linked],
  }),
  life({
    name: "first-end-counts",
    breaks: "A later end replaces the reason why the session ended.",
    rule: "§8",
    find: `    if (this.#end !== undefined) return\n    this.#end = { why }`,
    replace: `    this.#end = { why }`,
    checks: [kill, resume, replay],
  }),
  runner({
    name: "killed-on-the-way",
    breaks: "A tool is started for a step whose session was killed since.",
    rule: "§5",
    find: `if (authority.life.hasEnded) {`,
    replace: `if (authority.life.hasEnded && name === "") {`,
    checks: [kill],
  }),
  link({
    name: "hears-of-its-kill",
    breaks: "A session does not hear that it was killed until it asks for something.",
    rule: "§8",
    find: `new Set(["killed", "handoff.reclaimed", "session.failed"])`,
    replace: `new Set(["handoff.reclaimed", "session.failed"])`,
    checks: [linked],
  }),
  link({
    name: "hears-of-its-reclaim",
    breaks: "A claimant does not hear that it was reclaimed until it asks for something.",
    rule: "§4, §8",
    find: `new Set(["killed", "handoff.reclaimed", "session.failed"])`,
    replace: `new Set(["killed", "session.failed"])`,
    checks: [linked],
  }),
  link({
    name: "hears-of-its-parents-failure",
    breaks: "A child does not hear that its parent gave up until it asks for something.",
    rule: "§3, §8",
    find: `new Set(["killed", "handoff.reclaimed", "session.failed"])`,
    replace: `new Set(["killed", "handoff.reclaimed"])`,
    checks: [linked],
  }),
  link({
    name: "one-key-for-all-tries",
    breaks: "A command whose answer was lost is carried out twice.",
    rule: "I8",
    find: `return await this.retry(() => send(session, options))`,
    replace: `return await this.retry(() => send(session, { idempotencyKey: randomUUID() }))`,
    checks: [tools],
  }),
  runner({
    name: "receipt-names-its-fences",
    breaks: "A commit is taken although its resource was given to another meanwhile.",
    rule: "§6",
    find: `...(outcome === "committed" ? { fences } : {})`,
    replace: `...(outcome === "aborted" ? { fences } : {})`,
    checks: [replay],
  }),
  runner({
    name: "admitted-arguments",
    breaks: "A tool runs with other arguments than those that were admitted.",
    rule: "§5",
    find: `return structuredClone(args)`,
    replace: `return args`,
    checks: [replay],
  }),
  runner({
    name: "left-behind-is-unknown",
    breaks: "A tool that goes on in spite of its signal is reported as without effect.",
    rule: "§5",
    find: `  if (end._tag === "left") return unsure\n`,
    replace: `  if (end._tag === "left") return "aborted"\n`,
    checks: [tools],
  }),
  runner({
    name: "thrown-is-unknown",
    breaks: "A tool that threw half way is reported as without effect.",
    rule: "§5",
    find: `end.error instanceof ToolAborted || contract.evidenceClass === "local_transaction"`,
    replace: `end.error instanceof ToolAborted || contract.evidenceClass !== "unverifiable"`,
    checks: [tools],
  }),
  runner({
    name: "left-behind-is-heard",
    breaks: "What a tool that was left behind says in the end is lost.",
    rule: "§5",
    find: `if (end._tag === "left") this.#reportWhenDone(`,
    replace: `if (end._tag === "left" && isLate === null) this.#reportWhenDone(`,
    checks: [linked],
  }),
  runner({
    name: "queued-place-is-given-up",
    breaks: "A step whose caller is gone keeps its place in the queue.",
    rule: "§6, I11",
    find: `if (!life.isKilled && !isKept) await`,
    replace: `if (life.isKilled && !isKept) await`,
    checks: [resume],
  }),
]
