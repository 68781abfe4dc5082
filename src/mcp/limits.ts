/** Every bound of the MCP servers. */
export const mcpLimits = {
  /** Handrail sessions that one connection acts for, ended ones not counted. */
  sessionsPerConnection: 100,
  /** Connections of one HTTP server. */
  connections: 100,
  /** An HTTP connection without requests and open streams is given up. */
  idleMs: 30 * 60_000,
  /** The longest wait of `state`: shorter than the minute for which clients wait for an answer. */
  waitMs: 50_000,
  /** Of one HTTP request. */
  bodyBytes: 4 * 1024 * 1024,
  /** Tools that are governed of one upstream server, and pages in which it may list them. */
  upstreamTools: 1000,
  upstreamPages: 100,
  /**
   * A call of an upstream tool ends by its contract's timeout, its caller or a kill: the protocol's own minute would cut it.
   */
  callMs: 2_147_483_647,
  /** Of the whole start of an upstream server. */
  upstreamStartMs: 60_000,
} as const
