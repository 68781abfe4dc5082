/** Failures of SQLite as the port's errors. Not in failures.ts: the writer's thread starts faster without Effect. */
import { StorageCorrupt, StorageUnavailable } from "../../runtime/Journal.ts"
import type { Failure } from "./failures.ts"

export const unavailable = (failure: Failure): StorageUnavailable =>
  new StorageUnavailable({ reason: failure.reason, detail: failure.detail })

/** For calls that may report damage as what it is. */
export const storageError = (failure: Failure): StorageUnavailable | StorageCorrupt =>
  failure.reason === "corrupt" ? new StorageCorrupt({ detail: failure.detail }) : unavailable(failure)
