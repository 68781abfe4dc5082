/** `handrail/fences`: checkers with which the systems that agents change refuse the late write of a killed or reclaimed one. */

export type { Fence, ResourceRef } from "./machines/ids.ts"
export { FenceError, type FenceErrorCode, StaleFenceError } from "./sdk/fences/errors.ts"
export { type ReplaceFileOptions, replaceFile } from "./sdk/fences/file.ts"
export { pushGitRef, type RefPush, type RefUpdate, updateGitRef } from "./sdk/fences/gitRef.ts"
export { type FenceProblem, fenceHeaderOf, fenceProblem, type HeadersLike, readFences } from "./sdk/fences/header.ts"
export { type FencedHandler, type FenceStore, fencedFetch, fencedHandler } from "./sdk/fences/http.ts"
export { MemoryFences, type MemoryFencesOptions } from "./sdk/fences/MemoryFences.ts"
export {
  type FenceTableOptions,
  type PostgresConnection,
  PostgresFences,
  type PostgresPool,
  type PostgresPooled,
} from "./sdk/fences/PostgresFences.ts"
export { type SqliteDatabase, SqliteFences } from "./sdk/fences/SqliteFences.ts"
export type { RowWrite } from "./sdk/fences/statements.ts"
