/** Stores and runtimes with one mistake each: what the simulator has to find, and by which rule. */
import { Effect } from "effect"
import { makeMemoryStore, memoryJournal } from "../../../src/adapters/memory/MemoryJournal.ts"
import { fail } from "../../../src/runtime/errors.ts"
import type { Append, Appended, Journal } from "../../../src/runtime/Journal.ts"
import type { OpenStore, SimulateOptions } from "../../../src/testing/simulation/simulate.ts"

type Store = Journal["Service"]

/** A store on which every node's journal has the mistake. */
const broken = (spoil: (journal: Store) => Partial<Store>) => (): OpenStore => {
  const store = makeMemoryStore()
  return () => {
    const journal = memoryJournal(store)
    return { ...journal, ...spoil(journal) }
  }
}
const appended: Appended = { _tag: "appended" }

/** Writes at the head, wherever the writer thought that it was. */
const atTheHead = (journal: Store, append: Append): Append => {
  const expectedSeq = Effect.runSync(journal.read(append.tenant, append.workflowId, 0, 1_000_000)).length
  const entries = append.entries.map((entry, index) => {
    const seq = expectedSeq + index + 1
    return { ...entry, seq, text: entry.text.replace(/^\{"seq":\d+/, `{"seq":${seq}`) }
  })
  return { ...append, expectedSeq, entries }
}

export interface Planted {
  readonly mistake: string
  /** Any of them tells of it. */
  readonly rules: RegExp
  readonly options: Omit<SimulateOptions, "seed">
}

export const planted: ReadonlyArray<Planted> = [
  {
    mistake: "the store ignores the expected sequence: the last write wins",
    rules: /^(I\d+|order|durable|defect)$/,
    options: {
      store: broken((journal) => ({
        append: (group) => journal.append(group.map((append) => atTheHead(journal, append))),
      })),
    },
  },
  {
    mistake: "the store confirms any head to who writes nothing: old news is answered",
    rules: /^(order|I\d+)$/,
    options: {
      store: broken((journal) => ({
        append: (group) =>
          Effect.map(journal.append(group), (results) =>
            results.map((result, index) => (group[index]?.entries.length === 0 ? appended : result)),
          ),
      })),
    },
  },
  {
    mistake: "the store answers before it has written, and writes when it is asked the next time",
    rules: /^(durable|order|I\d+)$/,
    options: {
      store: broken((journal) => {
        let late: Effect.Effect<unknown> | undefined
        return {
          append: (group) =>
            Effect.sync(() => {
              if (late !== undefined) Effect.runSync(late)
              late = Effect.ignore(journal.append(group))
              return group.map(() => appended)
            }),
        }
      }),
    },
  },
  {
    mistake: "the store forgets the answers under their keys",
    rules: /^(I8|I7)$/,
    options: {
      store: broken((journal) => ({
        append: (group) =>
          journal.append(
            group.map((append) => ({
              ...append,
              projections: append.projections.filter((p) => p._tag !== "answered"),
            })),
          ),
      })),
    },
  },
  {
    mistake: "the store does not say which workflows are due",
    rules: /^liveness$/,
    options: { store: broken(() => ({ due: () => Effect.succeed([]) })) },
  },
  {
    mistake: "the store tells nobody of what others have written",
    rules: /^events$/,
    options: { store: broken(() => ({ subscribe: () => () => undefined })) },
  },
  {
    mistake: "the store loses the row of a session's end",
    rules: /^(I\d+|order|defect|liveness)$/,
    options: {
      store: broken((journal) => ({
        append: (group) =>
          journal.append(
            group.map((append) => ({
              ...append,
              projections: append.projections.filter((p) => p._tag !== "sessionEnded"),
            })),
          ),
      })),
    },
  },
  {
    mistake: "a subtree kill spares the descendants",
    rules: /^(I5|I7)$/,
    options: {
      tamper: (governance) => ({
        ...governance,
        submit: (command, submission, settle) => {
          const spares = command._tag === "kill" && command.scope === "subtree"
          governance.submit(spares ? { ...command, scope: "session" } : command, submission, settle)
        },
      }),
    },
  },
  {
    mistake: "a kill is answered before it is carried out",
    rules: /^(I5|I7|durable|order|I8)$/,
    options: {
      tamper: (governance) => {
        let last: unknown
        return {
          ...governance,
          submit: (command, submission, settle) => {
            if (command._tag !== "kill" || last === undefined)
              return governance.submit(command, submission, (error, answer) => {
                if (command._tag === "kill" && error === undefined) last = answer
                settle(error, answer)
              })
            settle(undefined, last)
            governance.submit(command, submission, () => undefined)
          },
        }
      },
    },
  },
  {
    mistake: "one answer of thirty is never given",
    rules: /^answered$/,
    options: {
      tamper: (governance) => {
        let count = 0
        return {
          ...governance,
          submit: (command, submission, settle) => {
            count += 1
            const isLost = count % 30 === 0
            governance.submit(command, submission, (error, answer) => (isLost ? undefined : settle(error, answer)))
          },
        }
      },
    },
  },
  {
    mistake: "a command under a key is carried out again under another one when it is repeated",
    rules: /^(I7|I8|I1|order|I5)$/,
    options: {
      tamper: (governance) => ({
        ...governance,
        submit: (command, { key: _, ...submission }, settle) => governance.submit(command, submission, settle),
      }),
    },
  },
  {
    mistake: "one tenant is shown what is another's",
    rules: /^(I12|I7|order|durable)$/,
    options: {
      tamper: (governance) => ({
        ...governance,
        submit: (command, submission, settle) => {
          const tenant = submission.tenant.replace("-stranger", "") as typeof submission.tenant
          governance.submit(command, { ...submission, tenant }, settle)
        },
      }),
    },
  },
  {
    mistake: "one proposal of five is refused because of a death that did not happen",
    // By what the journal says of the session, or by the next answer under the same key.
    rules: /^(durable|I8)$/,
    options: {
      tamper: (governance) => {
        let count = 0
        return {
          ...governance,
          submit: (command, submission, settle) => {
            if (command._tag === "propose") count += 1
            if (command._tag !== "propose" || count % 5 !== 0) return governance.submit(command, submission, settle)
            settle(fail("session_killed", "It was killed, or so it seems."), undefined)
          },
        }
      },
    },
  },
]
