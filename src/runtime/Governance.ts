/**
 * `Governance`: the runtime as an Effect service. Commands, questions and event streams over a `Journal`.
 *
 * It hosts the actors: gives them time, ids, a turn to run and the store, wakes them for their deadlines, and puts them away
 * when idle. Two of them in one process, or on one store, do not know of each other and need not.
 *
 * `submit` is the fast path for the promise API, with a callback; `execute` is the same as an Effect.
 */
import { Clock, Context, Deferred, Effect, Exit, Latch, Layer, Scheduler, Stream } from "effect"
import { sha256Hex } from "../definition/index.ts"
import type { Answers } from "../machines/answers.ts"
import { canonicalJson } from "../machines/canonical.ts"
import type { Command, CommandName, CommandOf } from "../machines/commands.ts"
import type { JournalEvent } from "../machines/events.ts"
import { type SessionId, type Tenant, WorkflowId } from "../machines/ids.ts"
import { emptyArchive } from "../machines/projection.ts"
import type { Rules } from "../machines/rules.ts"
import type { State } from "../machines/state.ts"
import type { Actor } from "./Actor.ts"
import type { ActorHost } from "./ActorHost.ts"
import { Committer } from "./Committer.ts"
import { EventReader } from "./EventReader.ts"
import { closedError, fail, fromStorage, type WorkflowError } from "./errors.ts"
import { makeIds } from "./Ids.ts"
import { Journal, type StorageError, StorageUnavailable } from "./Journal.ts"
import { Loader } from "./Loader.ts"
import { limits } from "./limits.ts"
import { Registry } from "./Registry.ts"
import { StageClock, Stages, type StageTotals } from "./Stages.ts"
import { type Survey, surveyOf } from "./Survey.ts"
import { Telemetry, type Watch } from "./Telemetry.ts"
import type { Settle } from "./Work.ts"

/** What goes with a command beside its content. */
export interface Submission {
  readonly tenant: Tenant
  readonly actor: string
  readonly key?: string | undefined
  /** Where the command's session is, when the caller knows. */
  readonly workflowId?: WorkflowId | undefined
  readonly birth?: { readonly rules: Rules; readonly text: string } | undefined
}

interface Gauges {
  readonly actors: number
  readonly waiting: number
  readonly groups: number
  readonly appends: number
  /** Event streams that read from the journal. */
  readonly readers: number
}

export interface GovernanceService {
  /** Decides a command and calls back once the answer is durable. */
  submit(command: Command, submission: Submission, settle: Settle): void
  execute<K extends CommandName>(
    command: CommandOf<K>,
    submission: Submission,
  ): Effect.Effect<K extends keyof Answers ? Answers[K] : never, WorkflowError>
  /** Asks the workflow's actor; the answer is confirmed to be of the journal's head. */
  query<A>(tenant: Tenant, workflowId: WorkflowId, read: (state: State) => A): Effect.Effect<A, WorkflowError>
  /** The workflow of a session. */
  locate(tenant: Tenant, sessionId: SessionId): Effect.Effect<WorkflowId, WorkflowError>
  /** Events after `after`, from the journal first and then live, without end. */
  events(tenant: Tenant, workflowId: WorkflowId, after: number): Stream.Stream<JournalEvent, WorkflowError>
  /** The same for the promise API; `close` it. */
  reader(tenant: Tenant, workflowId: WorkflowId, after: number): EventReader
  readonly journal: Journal["Service"]
  readonly loader: Loader
  /** Figures for people who watch it. */
  gauges(): Gauges
  /** What the live workflows have open, and how near they are to their limits. */
  readonly survey: Effect.Effect<Survey>
  /** Microseconds by stage since the start, and how many commands they are of; undefined without a `StageClock`. */
  stages(): StageTotals | undefined
  readonly close: Effect.Effect<void>
}

export class Governance extends Context.Service<Governance, GovernanceService>()("handrail/runtime/Governance") {
  static readonly layer: Layer.Layer<Governance, never, Journal> = Layer.effect(
    Governance,
    Effect.suspend(() => make),
  )
}

const make = Effect.gen(function* () {
  const telemetry = yield* Telemetry
  const store = yield* Journal
  const journal = telemetry?.journal(store) ?? store
  const clock = yield* Clock.Clock
  const scheduler = yield* Scheduler.Scheduler
  const id = yield* makeIds
  const runFork = Effect.runForkWith(yield* Effect.context<never>())
  const dispatcher = scheduler.makeDispatcher()
  const wakeUp = yield* Latch.make()
  const stageClock = yield* StageClock
  const stages = stageClock === undefined ? undefined : new Stages(stageClock)
  const loader = new Loader(journal)
  const counts = { waiting: 0, groups: 0, appends: 0 }
  const readers = new Map<string, Set<() => void>>()
  let earliest = Number.POSITIVE_INFINITY
  let closing = false

  const committer = new Committer({
    journal,
    run: runFork,
    scheduleAfterActors: (task) => dispatcher.scheduleTask(task, 1),
    onGroup: (size) => {
      counts.groups += 1
      counts.appends += size
    },
    telemetry,
  })
  const host: ActorHost = {
    stages,
    telemetry,
    now: () => clock.currentTimeMillisUnsafe(),
    id,
    hash: sha256Hex,
    schedule: (task) => dispatcher.scheduleTask(task, 0),
    load: (tenant, workflowId, then) => {
      runFork(loader.load(tenant, workflowId)).addObserver((exit) => {
        if (Exit.isSuccess(exit)) then(undefined, exit.value)
        else then(storageErrorOf(exit), undefined)
      })
    },
    lookup: (tenant, workflowId, refs, then) => {
      runFork(journal.lookup(tenant, workflowId, refs)).addObserver((exit) => {
        if (Exit.isSuccess(exit)) return then(undefined, exit.value)
        const error = Exit.findErrorOption(exit)
        then(error._tag === "Some" ? error.value : broken, emptyArchive)
      })
    },
    enlist: (actor) => committer.enlist(actor),
    announce: (actor) => {
      for (const notify of readers.get(readerKey(actor.tenant, actor.workflowId)) ?? []) notify()
      noteDeadline(actor)
    },
    defect: (cause, { tenant, workflowId }) => {
      const logged = Effect.logError("A command failed with a defect", cause)
      runFork(Effect.annotateLogs(logged, { tenant, workflowId }))
    },
    rested: (actor) => {
      if (!actor.hasWorkflow) registry.putAway(actor)
    },
  }
  const registry = new Registry(host)

  const noteDeadline = (actor: Actor): void => {
    const at = actor.nextDeadline
    if (at === null || at >= earliest) return
    earliest = at
    wakeUp.openUnsafe()
  }

  /**
   * Counts a command or question until it is answered, or refuses it at once. What is refused here was never counted: the count
   * must come back to 0, or `close` would wait for nobody; and what was counted is answered, also while closing.
   */
  const admit = (settle: Settle): Settle | undefined => {
    if (closing || counts.waiting >= limits.waiting) {
      settle(
        closing ? closedError() : fail("overloaded", `${limits.waiting} commands wait in this runtime.`),
        undefined,
      )
      return undefined
    }
    counts.waiting += 1
    return (error, answer) => {
      counts.waiting -= 1
      settle(error, answer)
    }
  }

  const submit: GovernanceService["submit"] = (command, submission, told) => {
    const { tenant, actor, key, birth } = submission
    const watch = telemetry?.command(command, submission)
    const settle = admit(watch === undefined ? told : watching(watch, told))
    if (settle === undefined) return
    const fingerprint = key === undefined ? "" : sha256Hex(canonicalJson(command))
    const enqueue = (workflowId: WorkflowId): void => {
      watch?.located(workflowId)
      registry.actor(tenant, workflowId).submit({
        _tag: "command",
        command,
        actor,
        key,
        fingerprint,
        birth,
        settle: remembering(registry, tenant, workflowId, command, settle),
        tries: 0,
        archive: undefined,
        readBack: false,
        watch,
      })
    }
    const workflowId = workflowOf(command) ?? submission.workflowId ?? locatedOf(registry, tenant, command)
    if (workflowId !== undefined) return enqueue(workflowId)
    const sessionId = sessionOf(command)
    if (sessionId === undefined) return settle(fail("invalid_request", "The command names no workflow."), undefined)
    runFork(locate(tenant, sessionId)).addObserver((exit) => {
      if (Exit.isSuccess(exit)) enqueue(exit.value)
      else settle(errorOf(exit), undefined)
    })
  }

  const locate: GovernanceService["locate"] = (tenant, sessionId) =>
    Effect.suspend(() => {
      const known = registry.locate(tenant, sessionId)
      if (known !== undefined) return Effect.succeed(known)
      return journal.lookup(tenant, WorkflowId.make("any"), { sessions: [sessionId] }).pipe(
        Effect.mapError(fromStorage),
        Effect.flatMap((archive) => {
          const row = archive.sessions.get(sessionId)
          if (row === undefined)
            return Effect.fail(fail("session_not_found", `There is no session ${sessionId}.`, { sessionId }))
          registry.remember(tenant, sessionId, row.workflowId)
          return Effect.succeed(row.workflowId)
        }),
      )
    })

  const execute = <K extends CommandName>(command: CommandOf<K>, submission: Submission) =>
    Effect.callback<never, WorkflowError>((resume) => {
      submit(command, submission, (error, answer) =>
        resume(error === undefined ? Effect.succeed(answer as never) : Effect.fail(error)),
      )
    })

  const query: GovernanceService["query"] = <A>(tenant: Tenant, workflowId: WorkflowId, read: (state: State) => A) =>
    Effect.callback<A, WorkflowError>((resume) => {
      const told: Settle = (error, answer) =>
        resume(error === undefined ? Effect.succeed(answer as A) : Effect.fail(error))
      const watch = telemetry?.query()
      const settle = admit(watch === undefined ? told : watching(watch, told))
      if (settle === undefined) return
      registry
        .actor(tenant, workflowId)
        .submit({ _tag: "query", read, settle, tries: 0, archive: undefined, readBack: false })
    })

  const reader: GovernanceService["reader"] = (tenant, workflowId, after) =>
    new EventReader({
      after,
      read: (from) => Effect.mapError(journal.read(tenant, workflowId, from, limits.eventPage), fromStorage),
      listen: (notify) => {
        const key = readerKey(tenant, workflowId)
        const set = readers.get(key) ?? new Set()
        readers.set(key, set.add(notify))
        const others = journal.subscribe(tenant, workflowId, notify)
        return () => {
          others()
          set.delete(notify)
          if (set.size === 0) readers.delete(key)
        }
      },
    })
  const openReaders = new Set<EventReader>()
  const trackedReader: GovernanceService["reader"] = (tenant, workflowId, after) => {
    const opened = reader(tenant, workflowId, after)
    openReaders.add(opened)
    opened.onClose(() => openReaders.delete(opened))
    return opened
  }

  const events: GovernanceService["events"] = (tenant, workflowId, after) =>
    Stream.unwrap(
      Effect.map(
        Effect.acquireRelease(
          Effect.sync(() => trackedReader(tenant, workflowId, after)),
          (opened) => Effect.sync(() => opened.close()),
        ),
        (opened) => Stream.fromPull(Effect.succeed(opened.pull)),
      ),
    )

  /** Fires what is due: at once for live actors, after a grace for workflows that another runtime may be holding. */
  const fireDeadlines = Effect.gen(function* () {
    const now = host.now()
    const due = yield* journal.due(now - limits.deadlineGraceMs, limits.dueWorkflows)
    for (const { tenant, workflowId } of due) registry.actor(tenant, workflowId).wake()
    if (earliest <= now) {
      earliest = Number.POSITIVE_INFINITY
      registry.forEach((actor) => {
        const at = actor.nextDeadline
        if (at === null) return
        if (at <= now) actor.wake()
        else earliest = Math.min(earliest, at)
      })
    }
  }).pipe(Effect.catch((error) => Effect.logWarning("The store could not be asked for deadlines", error.detail)))

  const deadlineLoop = Effect.forever(
    Effect.gen(function* () {
      yield* fireDeadlines
      wakeUp.closeUnsafe()
      const sleepMs = Math.max(limits.deadlineTickMs, Math.min(limits.deadlinePollMs, earliest - host.now()))
      yield* Effect.raceFirst(Effect.sleep(sleepMs), wakeUp.await)
    }),
  )
  const sweepLoop = Effect.forever(
    Effect.andThen(
      Effect.sleep(limits.sweepMs),
      Effect.sync(() => registry.sweep(host.now() - limits.idleMs)),
    ),
  )

  const close = Effect.gen(function* () {
    if (closing) return
    closing = true
    const drained = yield* Deferred.make<void>()
    const settle = (): void => {
      if (counts.waiting === 0) committer.whenIdle(() => Deferred.doneUnsafe(drained, Effect.void))
      else dispatcher.scheduleTask(settle, 2)
    }
    settle()
    yield* Effect.timeoutOrElse(Deferred.await(drained), {
      duration: limits.closeMs,
      orElse: () => Effect.logWarning("Closed before everything that was accepted was answered"),
    })
    for (const opened of openReaders) opened.close()
  })

  yield* Effect.addFinalizer(() => close)
  yield* Effect.forkScoped(deadlineLoop)
  yield* Effect.forkScoped(sweepLoop)

  return Governance.of({
    submit,
    execute: execute as GovernanceService["execute"],
    query,
    locate,
    events,
    reader: trackedReader,
    journal,
    loader,
    stages: () => (stages === undefined ? undefined : { ...stages.totals }),
    gauges: () => ({ actors: registry.size, ...counts, readers: openReaders.size }),
    survey: surveyOf(() => registry.actors()),
    close,
  })
})

const readerKey = (tenant: Tenant, workflowId: WorkflowId): string => `${tenant}\u0000${workflowId}`

const workflowOf = (command: Command): WorkflowId | undefined =>
  "workflowId" in command ? command.workflowId : undefined

const sessionOf = (command: Command): SessionId | undefined => ("sessionId" in command ? command.sessionId : undefined)

const locatedOf = (registry: Registry, tenant: Tenant, command: Command): WorkflowId | undefined => {
  const sessionId = sessionOf(command)
  return sessionId === undefined ? undefined : registry.locate(tenant, sessionId)
}

const watching =
  (watch: Watch, told: Settle): Settle =>
  (error, answer) => {
    watch.settled(error, answer)
    told(error, answer)
  }

/** Notes where a new session is, so that its first command need not ask the store. */
const remembering = (
  registry: Registry,
  tenant: Tenant,
  workflowId: WorkflowId,
  command: Command,
  settle: Settle,
): Settle => {
  if (command._tag !== "createRoot" && command._tag !== "claim") return settle
  return (error, answer) => {
    if (error === undefined) registry.remember(tenant, (answer as Answers["claim"]).sessionId, workflowId)
    settle(error, answer)
  }
}

const broken = new StorageUnavailable({ detail: "The store failed in a way that it should not.", reason: "defect" })

const storageErrorOf = (exit: Exit.Exit<unknown, StorageError>): WorkflowError => {
  const error = Exit.findErrorOption(exit)
  return fromStorage(error._tag === "Some" ? error.value : broken)
}
const errorOf = (exit: Exit.Exit<unknown, WorkflowError>): WorkflowError => {
  const error = Exit.findErrorOption(exit)
  return error._tag === "Some" ? error.value : fromStorage(broken)
}
