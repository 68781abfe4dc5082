/** `handrail serve`: the HTTP API on a store, until it is asked to stop. */
import type { CommandSpec } from "../Command.ts"
import { exitCodes } from "../exitCodes.ts"
import type { ServeSettings } from "../serveSettings.ts"
import type { Terminal } from "../Terminal.ts"

export const serve: CommandSpec = {
  name: "serve",
  summary: "serve the HTTP API on a store",
  about: [
    "Prints `listening on http://HOST:PORT` on standard output once it answers, and nothing else there. While no key " +
      "was made, it needs none and listens on loopback only; handrail keys create makes one. SIGTERM and Ctrl-C end it " +
      "in order: what is under way is answered, streams end with a hint when to come back, and it exits with 0. A " +
      "second signal cuts it short.",
    "Options may stand in a file (--config) under the same names. What is typed wins over the environment, and that " +
      "over the file.",
  ],
  arguments: [],
  options: {
    store: {
      kind: "text",
      value: "URL",
      describe:
        "sqlite:PATH, postgres://… or memory: (gone at its end); HANDRAIL_STORE keeps a password out of sight (default " +
        "sqlite:./handrail.db)",
    },
    schema: { kind: "text", value: "NAME", describe: "Postgres: the schema of the tables (default handrail)" },
    synchronous: {
      kind: "text",
      value: "full|normal",
      describe: "SQLite: whether answers survive a power cut (full, the default) or only a crash of the process",
      choices: ["full", "normal"],
    },
    host: { kind: "text", value: "HOST", describe: "where to listen (default 127.0.0.1)" },
    port: { kind: "count", value: "N", describe: "0 takes a free one (default 4000)" },
    cors: { kind: "list", value: "ORIGINS", describe: "origins whose pages may call it from a browser (default none)" },
    rate: { kind: "count", value: "N", describe: "commands per second of one key; 0 is no limit (default 2000)" },
    grace: { kind: "count", value: "SECONDS", describe: "how long a stop waits for what is under way (default 10)" },
    log: {
      kind: "text",
      value: "FORM",
      describe: "on standard error: text (what needs a person), json (every request, a line each) or none",
      choices: ["text", "json", "none"],
    },
    config: { kind: "text", value: "FILE", describe: "YAML or JSON with these names" },
  },
  examples: [
    { command: "handrail serve", what: "on a file in this directory, for this machine" },
    { command: "handrail serve --store memory: --port 0", what: "to try something; nothing is kept" },
    {
      command: "HANDRAIL_STORE=postgres://… handrail serve --host 0.0.0.0 --log json",
      what: "for others, on a database; needs keys",
    },
    { command: "handrail serve --config /etc/handrail.yaml", what: "as a service" },
  ],
  exits: [
    [exitCodes.ok, "it was asked to stop, and did"],
    [exitCodes.found, "the store can't be opened, the address can't be listened on, or keys are missing"],
    [exitCodes.usage, "wrong usage, or a --config that can't be read"],
  ],
  run: async (input, terminal) => {
    const { settingsOf } = await import("../serveSettings.ts")
    return run(settingsOf(input, terminal.env), terminal)
  },
}

const run = async (settings: ServeSettings, terminal: Terminal): Promise<number> => {
  const { HttpApp } = await import("../../adapters/http/server/HttpApp.ts")
  const { listen } = await import("../../adapters/http/server/nodeServer.ts")
  const { Observability } = await import("../../adapters/telemetry/Observability.ts")
  const { Handrail } = await import("../../sdk/Handrail.ts")
  const { ServeLog } = await import("../serveLog.ts")
  const { stopSignal } = await import("../signals.ts")
  const { openKeys } = await import("../store.ts")
  const log = new ServeLog({ form: settings.log, write: (line) => terminal.tell(line) })
  // From the first moment on: a stop while it starts is a stop all the same. Who asks twice does not want to wait.
  const { stopped, release } = stopSignal(() => process.exit(exitCodes.found))
  const observability = new Observability({
    log: { requests: false, write: (line, entry) => log.runtime(line, entry) },
  })
  const runtime = await Handrail.open({ ...settings.store, synchronous: settings.synchronous, observability })
  const keys = await openKeys(settings.store).catch(closing(() => runtime.close()))
  const closeAll = async (): Promise<void> => {
    await runtime.close()
    await keys.close()
    release()
  }
  const { rate, cors } = settings
  const server = await HttpApp.open({
    runtime,
    keys,
    observability,
    ...(cors.length === 0 ? {} : { cors: { origins: cors } }),
    ...(rate === undefined ? {} : { rate: rate === 0 ? (false as const) : { perSecond: rate, burst: 2 * rate } }),
    observe: (seen) => log.request(seen),
    onDefect: (error) => log.defect(error),
  })
    .then((app) => listen(app, { host: settings.host, port: settings.port }))
    .catch(closing(closeAll))
  if (server.isDevelopment)
    log.note(
      "warn",
      "development",
      "Development mode: no key was made, so every request from this machine may do everything. " +
        "handrail keys create makes the first key.",
    )
  log.note("info", "started", `Serving ${storeName(settings.store.store)}.`, { url: server.url })
  terminal.print(`listening on ${server.url}`)
  await stopped
  log.note("info", "stopping", "Stopping: what is under way is answered.")
  const drained = await server.close({ graceMs: settings.grace * 1000 })
  await closeAll()
  if (drained) log.note("info", "stopped", "Stopped.")
  else log.note("warn", "stopped", `Stopped. Something took longer than ${settings.grace} s and was cut.`)
  return exitCodes.ok
}

/** Closes what was opened before, and fails all the same. */
const closing =
  (close: () => Promise<void>) =>
  async (error: unknown): Promise<never> => {
    await close()
    throw error
  }

/** Without user, password and host of a database. */
const storeName = (store: string): string =>
  store.startsWith("postgres") ? "a Postgres database" : store === "memory:" ? "a store in memory" : store
