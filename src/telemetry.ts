/** `handrail/telemetry`: metrics for Prometheus, traces for OpenTelemetry, structured logs. */

export type { Entry, Level, LogOptions } from "./adapters/telemetry/Log.ts"
export { Observability, type ObservabilityOptions } from "./adapters/telemetry/Observability.ts"
export { type OpenTelemetryApi, openTelemetryTracer } from "./adapters/telemetry/openTelemetry.ts"
