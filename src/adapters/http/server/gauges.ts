/** The figures that the server knows without counting anything, for `HttpOptions.metrics`. */
import type { GovernanceService } from "../../../runtime/Governance.ts"
import type { ServerFigures } from "../../telemetry/readings.ts"

export interface Figures extends ServerFigures, Readonly<ReturnType<GovernanceService["gauges"]>> {}
