/**
 * Fencing of a file, in every order in which the steps of several writers can interleave: each call to the file system waits for its
 * turn, which fast-check draws; and a writer may freeze before any of its steps, for good or until all the others have ended.
 */

import { AsyncLocalStorage } from "node:async_hooks"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import fc from "fast-check"
import { expect, test, vi } from "vitest"
import { replaceFile } from "../../../src/fences.ts"
import { fence, isGrowing, landed, runs } from "./fixtures.ts"

interface Writer {
  readonly token: number
  /** Waits for the turn of a step. */
  readonly turn: (step: string) => Promise<unknown>
  /** Tokens of the round's writes that landed, in order: what a writer of an earlier round still does is not among them. */
  readonly landed: Array<number>
}

interface Steps {
  writers: AsyncLocalStorage<Writer> | undefined
  /** Steps happen one at a time, so that their order is the one that was drawn. */
  last: Promise<unknown>
}

const steps = vi.hoisted((): Steps => ({ writers: undefined, last: Promise.resolve() }))
steps.writers = new AsyncLocalStorage<Writer>()

vi.mock("node:fs/promises", async (original) => {
  const real = await original<typeof import("node:fs/promises")>()
  const names = ["mkdir", "open", "readdir", "readFile", "realpath", "rename", "rm", "stat"] as const
  const gated = names.map((name) => {
    const call: (...args: ReadonlyArray<never>) => Promise<unknown> = real[name]
    const step = async (...args: ReadonlyArray<never>): Promise<unknown> => {
      const writer = steps.writers?.getStore()
      await writer?.turn(name)
      const happens = steps.last.then(() => call(...args))
      steps.last = happens.catch(() => {})
      const result = await happens
      // The order of steps is what counts here, and the disk would take most of the time.
      if (typeof result === "object" && result !== null && "sync" in result) result.sync = async () => {}
      if (name === "rename" && String(args[1]).endsWith("config.json")) writer?.landed.push(writer.token)
      return result
    }
    return [name, step]
  })
  return { ...real, ...Object.fromEntries(gated) }
})

const freezing = fc.record({ before: fc.integer({ min: 0, max: 14 }), thaws: fc.boolean() })
const writer = fc.record({ token: fc.integer({ min: 1, max: 4 }), freeze: fc.option(freezing, { freq: 2 }) })

test("no write lands after one with a greater token, whoever freezes where", async () => {
  const folder = mkdtempSync(join(tmpdir(), "handrail-file-"))
  let round = 0
  const team = fc.array(writer, { minLength: 2, maxLength: 4 })
  try {
    await fc.assert(
      fc.asyncProperty(team, fc.scheduler(), async (members, s) => {
        round += 1
        const file = join(folder, `${round}-config.json`)
        const landings: Array<number> = []
        let frozen: Array<() => void> = []
        const all = members.map(({ token, freeze }, index) => {
          let count = 0
          const turn = async (name: string): Promise<void> => {
            if (freeze !== null && count++ === freeze.before)
              await new Promise<void>((thaw) => {
                if (freeze.thaws) frozen.push(thaw)
              })
            await s.schedule(Promise.resolve(), `${index} ${name}`)
          }
          const ended = steps.writers?.run({ token, turn, landed: landings }, () =>
            landed(() => replaceFile(file, `${token}`, fence(token))),
          )
          return { token, freeze, ended }
        })
        const running = all.filter(({ freeze }) => freeze === null)
        const found = await s.waitFor(Promise.all(running.map(({ ended }) => ended)))
        const newest = Math.max(...members.map(({ token }) => token))
        running.forEach(({ token }, index) => {
          if (token === newest) expect(found[index]).toBe(true)
        })
        let isDone = false
        const ends = Promise.all(all.map(({ freeze, ended }) => (freeze?.thaws === true ? ended : undefined)))
        ends.then(
          () => {
            isDone = true
          },
          () => {
            isDone = true
          },
        )
        while (!isDone) {
          for (const thaw of frozen) thaw()
          frozen = []
          if (s.count() > 0) await s.waitOne()
          await new Promise(setImmediate)
        }
        await ends
        // A writer that was to freeze later than it ended is under way still: its step is over before the file is looked at.
        await steps.last
        expect(isGrowing(landings)).toBe(true)
        const last = landings.at(-1)
        if (last !== undefined) expect(readFileSync(file, "utf8")).toBe(String(last))
      }),
      runs(300),
    )
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}, 120_000)
