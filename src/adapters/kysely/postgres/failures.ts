/** What Postgres and the way to it report, as the port's errors. SQLSTATE codes and classes decide, never texts. */
import pg from "pg"
import { StorageCorrupt, type StorageError, StorageUnavailable } from "../../../runtime/Journal.ts"

/** SQLSTATE, or its first two letters for a whole class → what an operator should know. */
const bySqlState: Readonly<Record<string, readonly [reason: string, detail: string]>> = {
  "08": ["connection", "the connection to the database was lost"],
  "25006": ["readonly", "the database takes no writes; it may be a standby"],
  "28": ["authentication", "the database does not accept the user or the password"],
  "3D000": ["no_database", "the database does not exist"],
  "3F000": ["no_schema", "the schema does not exist"],
  "42501": ["permission", "the user may not do this in the database"],
  "42P01": ["no_schema", "a table is missing; it may have been dropped"],
  "53100": ["disk_full", "the database's disk is full"],
  "53200": ["memory", "the database ran out of memory"],
  "53300": ["connections", "the database has no connection to spare"],
  "53": ["resources", "the database ran out of a resource"],
  "55": ["busy", "the database is not in a state to do this"],
  "57014": ["timeout", "the database cancelled a statement that took too long"],
  "57P01": ["connection", "the database is shutting down"],
  "57P02": ["connection", "the database is restarting after a crash"],
  "57P03": ["connection", "the database is starting up"],
  "58": ["io", "the database could not use its disk"],
}

const sqlState = (error: unknown): string => (error instanceof pg.DatabaseError ? (error.code ?? "") : "")

/** A lost race that the same statements may win when they are run again: serialization, deadlock, a taken key, a moved head. */
export const isLostRace = (error: unknown): boolean => ["40001", "40P01", "23505", "22012"].includes(sqlState(error))

/** A prepared statement that is not there, or is there already: between us and the server somebody shares connections. */
export const isForeignSession = (error: unknown): boolean => ["26000", "42P05"].includes(sqlState(error))

/** A schema or table was there when a statement began, and not when it came to it. */
export const isVanished = (error: unknown): boolean => ["3F000", "42P01", "XX000"].includes(sqlState(error))

/** Whether the connection is of no more use. */
export const isFatal = (error: unknown): boolean =>
  !(error instanceof pg.DatabaseError) || error.severity === "FATAL" || error.severity === "PANIC"

export const unavailable = (reason: string, detail: string): StorageUnavailable =>
  new StorageUnavailable({ reason, detail })

/** Throws on what is a bug and no failure of the database or of the network. */
export const storageError = (error: unknown): StorageError => {
  if (error instanceof StorageUnavailable || error instanceof StorageCorrupt) return error
  if (error instanceof pg.DatabaseError) {
    const state = error.code ?? ""
    if (state.startsWith("XX")) return new StorageCorrupt({ detail: `the database reports damage (${state})` })
    const [reason, detail] = bySqlState[state] ?? bySqlState[state.slice(0, 2)] ?? ["postgres", "the database refused"]
    return unavailable(reason, `${detail} (${state})`)
  }
  const isBug = error instanceof TypeError || error instanceof RangeError || error instanceof SyntaxError
  if (isBug || !(error instanceof Error)) throw error
  // Everything else that `pg` and the sockets under it throw: refused, reset, timed out, ended.
  const code = "code" in error && typeof error.code === "string" ? ` (${error.code})` : ""
  return unavailable("connection", `the database cannot be reached${code}`)
}
