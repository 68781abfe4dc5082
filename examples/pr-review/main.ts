/**
 * The demo: `npm run demo -- --help` says what it can do.
 *
 * Exits with 0 when the variant has shown what it promises, with 1 when it has not, with 2 when it was asked for something that
 * can't be done, and with 130 when it was interrupted.
 */
import { randomBytes } from "node:crypto"
import { mkdir, mkdtemp } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join, relative, resolve } from "node:path"
import type { Client } from "handrail"
import { type Request, readArguments, UsageError, usage } from "./arguments.ts"
import { DiffError, parseDiff } from "./diff.ts"
import type { Access } from "./orders.ts"
import { drawPicture } from "./picture.ts"
import { Progress } from "./progress.ts"
import { Run, RunError } from "./run.ts"
import { partition } from "./scan.ts"
import { Screen } from "./screen.ts"
import { ServerError, ServerProcess } from "./serverProcess.ts"
import { loadChange, SourceError } from "./source.ts"
import { painter, plain, wantsColour } from "./terminal.ts"
import { Timeline } from "./timeline.ts"
import { type Variant, variants } from "./variants.ts"

/** npm runs its scripts in the project's folder; a path means what it meant where it was typed. */
const cwd = (process.env.npm_lifecycle_event === "demo" ? process.env.INIT_CWD : undefined) ?? process.cwd()
const colour = wantsColour()
const paint = painter(colour)
// Nothing wraps in a pipe, and some terminals do not know how wide they are.
const columns = process.stdout.isTTY ? process.stdout.columns || 100 : 140
const screen = new Screen(process.stdout, columns, paint)
const print = (line = ""): void => screen.line(line)

const main = async (): Promise<number> => {
  const request = readArguments(process.argv.slice(2))
  if (request === undefined) {
    print(usage)
    return 0
  }
  const variant = variants[request.variant]
  const { head, repository } = await look(request, variant)
  const folder = await folderOf(request)
  print(paint("bold", head))
  print(paint("dim", `run folder ${folder}`))
  print()
  return review(request, variant, repository, folder)
}

/** What can't be reviewed is said before anything is started. */
const look = async ({ repo, target }: Request, { about, name, needsParts }: Variant) => {
  const change = await loadChange({
    cwd,
    ...(target === undefined ? {} : { target }),
    ...(repo === undefined ? {} : { repo }),
  })
  const { added, deleted, files } = parseDiff(change.text)
  const parts = partition(files, 6).length
  if (parts < needsParts)
    throw new UsageError(
      `--${name} needs a change that falls into ${needsParts} parts, and ${change.title} falls into ${parts}.`,
    )
  const size = `${files.length} file${files.length === 1 ? "" : "s"}, +${added} −${deleted}`
  return { head: `${plain(change.title)} (${size}): ${about}`, repository: change.repository }
}

const folderOf = async ({ out }: Request): Promise<string> => {
  if (out === undefined) return mkdtemp(join(tmpdir(), "handrail-review-"))
  const folder = resolve(cwd, out)
  await mkdir(folder, { recursive: true }).catch((error: Error) => {
    throw new UsageError(`--out ${out} can't be used: ${error.message}`)
  })
  return folder
}

const review = async (request: Request, variant: Variant, repository: string, folder: string): Promise<number> => {
  const interrupted = new Promise<number>((done) => {
    for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => done(130))
  })
  const store = join(folder, "handrail.db")
  let server: ServerProcess | undefined
  try {
    server = request.http === true ? await ServerProcess.start(store) : undefined
    if (server !== undefined) {
      print(paint("dim", `process ${server.pid} is started: handrail serve, listening on ${server.agents.url}`))
      print()
    }
    return await runIn({ request, variant, repository, folder, store, server, interrupted })
  } catch (error) {
    screen.rest()
    if (!(error instanceof RunError || error instanceof ServerError) && !isRefusal(error)) throw error
    print(paint("red", `✗ ${plain(error.message)}`))
    return 1
  } finally {
    await server?.stop()
  }
}

interface Place {
  readonly request: Request
  readonly variant: Variant
  readonly repository: string
  readonly folder: string
  readonly store: string
  readonly server: ServerProcess | undefined
  readonly interrupted: Promise<number>
}

const runIn = async ({ request, variant, repository, folder, store, server, interrupted }: Place): Promise<number> => {
  const { repo, target } = request
  const progress = new Progress({ write: (line) => screen.line(line), startedAt: Date.now(), columns, colour })
  const timeline = new Timeline()
  const run = new Run({
    folder,
    store,
    ...(server === undefined ? {} : { server: server.agents }),
    suffix: randomBytes(3).toString("hex"),
    variant,
    change: { cwd, repository, ...(target === undefined ? {} : { target }), ...(repo === undefined ? {} : { repo }) },
    progress,
    timeline,
  })
  screen.live(() => statusOf(run))
  const watched = watch(run, server?.operator)
  try {
    const code = await Promise.race([interrupted, watched.ended.then(() => 0)])
    timeline.flush()
    screen.rest()
    return code === 0 ? await conclude(run, variant, folder) : code
  } finally {
    timeline.flush()
    await run.stop()
    await watched.close()
  }
}

/** Starts the run and the runtime that watches it at the same time: each takes a moment to load. */
const watch = (
  run: Run,
  operator: Access | undefined,
): { readonly ended: Promise<void>; readonly close: () => Promise<void> } => {
  run.start()
  const opening = import("handrail").then(({ Handrail }): Client | Promise<Client> =>
    operator === undefined ? Handrail.open({ store: `sqlite:${run.store}` }) : Handrail.connect(operator),
  )
  const ended = opening.then((runtime) => run.toEnd(runtime))
  return { ended, close: () => opening.then((runtime) => runtime.close()).catch(() => {}) }
}

/** What the runtime refused, such as a store that is no store. */
const isRefusal = (error: unknown): error is Error => error instanceof Error && "code" in error && "retryable" in error

const statusOf = ({ agents }: Run): string => {
  const running = agents.filter(({ exit }) => exit === undefined).map(({ name }) => name)
  return running.length === 0 ? "looking at the journal" : `at work: ${running.join(", ")}`
}

const conclude = async (run: Run, variant: Variant, folder: string): Promise<number> => {
  print()
  print(drawPicture(await run.picture(), { columns, colour }))
  print()
  const checks = variant.checks(run, await run.view())
  for (const { holds, text } of checks) print(holds ? `${paint("green", "✓")} ${text}` : paint("red", `✗ ${text}`))
  const { verdict } = run
  if (verdict !== undefined) {
    const file = join(folder, "review.md")
    const near = relative(cwd, file)
    print()
    print(`${paint("bold", "verdict")}  ${verdict}`)
    print(`${paint("bold", "review")}   ${near.startsWith("..") ? file : near}`)
  }
  return checks.every(({ holds }) => holds) ? 0 : 1
}

try {
  process.exitCode = await main()
} catch (error) {
  if (!(error instanceof UsageError || error instanceof SourceError || error instanceof DiffError)) throw error
  process.stderr.write(`${plain(error.message)}\n`)
  if (error instanceof UsageError) process.stderr.write("npm run demo -- --help says what there is.\n")
  process.exitCode = 2
}
