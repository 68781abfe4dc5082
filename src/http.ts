/** `handrail/http`: the control plane's HTTP API, to mount in a framework or to listen with. */

export { Api } from "./adapters/http/api/Api.ts"
export { openApiDocument } from "./adapters/http/api/openapi.ts"
export { KeyRing, type MadeKey, type NewKey } from "./adapters/http/auth/KeyRing.ts"
export type { KeyRecord, Keys, Scope } from "./adapters/http/auth/Keys.ts"
export { MemoryKeys } from "./adapters/http/auth/MemoryKeys.ts"
export type { Rate } from "./adapters/http/auth/RateLimiter.ts"
export type { Cors } from "./adapters/http/server/cors.ts"
export type { Figures } from "./adapters/http/server/gauges.ts"
export { HttpApp, type HttpOptions, type Observation } from "./adapters/http/server/HttpApp.ts"
export {
  KeysRequired,
  ListenFailed,
  type Listening,
  type ListenOptions,
  listen,
} from "./adapters/http/server/nodeServer.ts"
export { openPostgresKeys, openSqliteKeys, type PostgresKeysOptions } from "./adapters/kysely/keys.ts"
