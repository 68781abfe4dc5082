/** Guards of the stores: the journal's key above all (architecture.md, "The write path"). */
import { inFile, type Mutant } from "../Mutant.ts"

const memory = inFile("src/adapters/memory/MemoryStore.ts")
const writer = inFile("src/adapters/kysely/Writer.ts")
const heads = inFile("src/adapters/kysely/Heads.ts")
const verify = inFile("src/adapters/kysely/verify.ts")

const onMemory = { file: "test/adapters/memory.test.ts" }
const onSqlite = { file: "test/adapters/sqlite.test.ts" }
const stores = { file: "test/adapters/stores.test.ts" }
const guarded = { file: "test/adapters/sqliteGuards.test.ts" }
const file = { file: "test/adapters/sqliteFile.test.ts" }

export const storeMutants: ReadonlyArray<Mutant> = [
  memory({
    name: "memory-journal-key",
    breaks: "An append on an old head is taken: the last writer wins.",
    rule: "§10, I1, I9",
    find: `if ((workflow?.entries.length ?? 0) !== append.expectedSeq) return conflict`,
    replace: `if ((workflow?.entries.length ?? 0) < append.expectedSeq) return conflict`,
    checks: [onMemory],
  }),
  memory({
    name: "memory-journal-gap",
    breaks: "An append ahead of the head leaves a gap.",
    rule: "I9",
    find: `if ((workflow?.entries.length ?? 0) !== append.expectedSeq) return conflict`,
    replace: `if ((workflow?.entries.length ?? 0) > append.expectedSeq) return conflict`,
    checks: [onMemory],
  }),
  memory({
    name: "memory-exists",
    breaks: "A session or a handoff is created over another.",
    rule: "§3, I1",
    find: `    if (exists !== undefined) return exists\n`,
    replace: "",
    checks: [onMemory],
  }),
  memory({
    name: "memory-exists-within-an-append",
    breaks: "One append creates a session twice.",
    rule: "§3",
    find: `if (known || created?.has(\`\${kind} \${id}\`) === true)`,
    replace: "if (known)",
    checks: [onMemory],
  }),
  writer({
    name: "sqlite-journal-key",
    breaks: "An append on an old head is taken: the last writer wins.",
    rule: "§10, I1, I9",
    find: `let result = heads.head(tenant, workflowId) === expected ? undefined : conflict`,
    replace: `let result = heads.head(tenant, workflowId) >= expected ? undefined : conflict`,
    checks: [onSqlite],
  }),
  writer({
    name: "sqlite-journal-gap",
    breaks: "An append ahead of the head leaves a gap.",
    rule: "I9",
    find: `let result = heads.head(tenant, workflowId) === expected ? undefined : conflict`,
    replace: `let result = heads.head(tenant, workflowId) <= expected ? undefined : conflict`,
    checks: [onSqlite],
  }),
  writer({
    name: "sqlite-confirms-an-old-head",
    breaks: "A read on a state that another process left behind is confirmed.",
    rule: "architecture, write path 5",
    find: `this.#heads.head(tenant, workflowIds[i] as string) === expectedSeqs[i] ? appended : conflict`,
    replace: `this.#heads.head(tenant, workflowIds[i] as string) >= (expectedSeqs[i] ?? 0) ? appended : conflict`,
    checks: [onSqlite],
  }),
  writer({
    name: "sqlite-lock-before-the-check",
    breaks: "Two processes check the same head, and the second fails with a busy snapshot instead of a conflict.",
    rule: "architecture, SQLite",
    find: `db.prepare("begin immediate")`,
    replace: `db.prepare("begin")`,
    checks: [onSqlite, file],
  }),
  writer({
    name: "sqlite-exists-within-an-append",
    breaks: "One append creates a session twice.",
    rule: "§3",
    find: `if (known || own.has(name))`,
    replace: `if (known)`,
    checks: [onSqlite],
  }),
  heads({
    name: "sqlite-exists-in-the-tables",
    breaks: "A session is created over one that was folded into the tables.",
    rule: "§3, I1",
    find: `return this.#created.has(\`\${tenant}\\u0000\${id}\`) || this.#session.get(tenant, id) !== undefined`,
    replace: `return this.#created.has(\`\${tenant}\\u0000\${id}\`)`,
    checks: [onSqlite, stores],
  }),
  heads({
    name: "sqlite-exists-in-what-is-pending",
    breaks: "A session is created over one that is not folded yet.",
    rule: "§3, I1",
    find: `return this.#created.has(\`\${tenant}\\u0000\${id}\`) || this.#session.get(tenant, id) !== undefined`,
    replace: "return this.#session.get(tenant, id) !== undefined",
    checks: [onSqlite],
  }),
  heads({
    name: "sqlite-handoff-exists",
    breaks: "A handoff is offered over one that was folded into the tables.",
    rule: "§4",
    find: ` ||
      this.#handoff.get(tenant, workflowId, id) !== undefined`,
    replace: "",
    checks: [onSqlite, stores],
  }),
  heads({
    name: "sqlite-sees-other-writers",
    breaks: "A writer trusts the heads that it remembers after another process has moved them.",
    rule: "architecture, SQLite",
    find: `if (version === this.#dataVersion) return`,
    replace: `if (this.#dataVersion !== -1) return`,
    checks: [onSqlite],
  }),
  heads({
    name: "sqlite-forgets-a-rollback",
    breaks: "A writer believes in heads that were rolled back.",
    rule: "architecture, SQLite",
    find: `    this.#dataVersion = -1\n    this.#pending = []`,
    replace: `    this.foreign += 0`,
    checks: [file],
  }),
  writer({
    name: "sqlite-synchronous",
    breaks: "A commit is answered before it is on the disk.",
    rule: "I7",
    find: '    const synchronous = options.synchronous === "full" ? 2 : 1\n    db.pragma',
    replace: "    const synchronous = 1\n    db.pragma",
    checks: [onSqlite],
  }),
  writer({
    name: "sqlite-snapshot-of-a-refused-append",
    breaks: "The snapshot of an append that conflicts replaces the good one.",
    rule: "I9",
    find: `      if (skip?.[at] === true) continue\n      this.#snapshot.run(`,
    replace: `      this.#snapshot.run(`,
    checks: [guarded],
  }),
  writer({
    name: "sqlite-answer-of-a-refused-append",
    breaks: "The answer of an append that conflicts is kept under its key.",
    rule: "I8",
    find: `      if (skip?.[at] === true) continue\n      this.#answer.run(`,
    replace: `      this.#answer.run(`,
    checks: [onSqlite],
  }),
  writer({
    name: "sqlite-rows-of-a-refused-append",
    breaks: "The rows of an append that conflicts are written beside those of its group.",
    rule: "I9",
    find: `if (skip[i] !== true) kept.push(`,
    replace: `if (skip[i] !== undefined) kept.push(`,
    checks: [onSqlite],
  }),
  inFile("src/adapters/chain.ts")({
    name: "sqlite-reads-check-the-chain",
    breaks: "An event that was changed in the file is handed out, and verification does not see it either.",
    rule: "§10, I9",
    find: `if (hash !== entry.hash) {`,
    replace: `if (hash === "") {`,
    checks: [guarded],
  }),
  verify({
    name: "sqlite-verify-compares-the-snapshot",
    breaks: "Verification of a file does not see that a snapshot is not of its chain.",
    rule: "I9",
    find: `if (snapshot?.seq === seq && snapshot.hash !== entry.hash)`,
    replace: `if (snapshot?.seq === seq && snapshot.hash === "")`,
    checks: [file],
  }),
]
