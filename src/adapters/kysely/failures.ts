/** What SQLite reports, as plain data that crosses between threads. Codes decide, never texts. */

export interface Failure {
  readonly reason: string
  readonly detail: string
}

const byCode: ReadonlyArray<readonly [prefix: string, reason: string, detail: string]> = [
  ["SQLITE_BUSY", "busy", "another process holds the database for too long"],
  ["SQLITE_LOCKED", "busy", "another connection holds the database for too long"],
  ["SQLITE_FULL", "disk_full", "the disk is full"],
  ["SQLITE_IOERR", "io", "the disk could not be read or written"],
  ["SQLITE_READONLY", "readonly", "the database cannot be written"],
  ["SQLITE_PERM", "readonly", "the database may not be written"],
  ["SQLITE_CANTOPEN", "cannot_open", "the database file cannot be opened"],
  ["SQLITE_NOTADB", "corrupt", "the file is not a database"],
  ["SQLITE_CORRUPT", "corrupt", "the database file is damaged"],
  ["SQLITE_CONSTRAINT", "corrupt", "a pending change breaks a rule of its table"],
  ["SQLITE_NOMEM", "memory", "SQLite ran out of memory"],
]

export const sqliteCode = (error: unknown): string =>
  typeof error === "object" && error !== null && "code" in error && typeof error.code === "string" ? error.code : ""

/** Undefined for what is no error of SQLite: a bug, to be thrown on. */
export const failureOf = (error: unknown): Failure | undefined => {
  const code = sqliteCode(error)
  if (!code.startsWith("SQLITE_")) return undefined
  const found = byCode.find(([prefix]) => code.startsWith(prefix))
  return found === undefined
    ? { reason: "sqlite", detail: `SQLite reported ${code}` }
    : { reason: found[1], detail: `${found[2]} (${code})` }
}

export const closed: Failure = { reason: "closed", detail: "the store is closed" }
