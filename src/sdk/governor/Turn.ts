/**
 * The seam between the pipeline of a model call and whoever speaks a provider's protocol.
 *
 * One call of a model is one turn: `begin` says what may be offered, the provider is asked, and `finish` says which of the
 * model's calls stay. The provider's side knows its wire format and no rule; the pipeline knows the rules and no format.
 */

/** A request to a model, in neutral words. */
export interface ModelRequest {
  /** `openai.chat`, `openai.responses`, `anthropic.messages`, or whatever an adapter calls itself. */
  readonly provider: string
  readonly model: string
  /** Names of the tools that the request offers for the caller to run. Those that the provider runs are not among them. */
  readonly tools: ReadonlyArray<string>
  /** Characters of the request, from which its price is estimated. */
  readonly inputChars: number
  /** The request's own cap of output tokens. */
  readonly maxOutputTokens: number | undefined
  /** What became of earlier tool calls, as the request tells the model. */
  readonly results: ReadonlyArray<ToolResult>
  /** How often this request was asked before and fed its failures back: 0 at first. */
  readonly attempt: number
}

export interface ToolResult {
  /** The provider's id of the call. */
  readonly callId: string
  readonly output: unknown
  readonly isError: boolean
}

/** A tool call as the model wrote it. */
export interface ModelCall {
  readonly callId: string
  readonly tool: string
  /** JSON text, as it came. */
  readonly arguments: string
}

export interface ModelUsage {
  /** All input tokens, those from a cache included. */
  readonly inputTokens: number
  readonly outputTokens: number
  readonly cachedInputTokens?: number
}

export interface ModelAnswer {
  /** The model that answered, by its own name. */
  readonly model: string
  readonly calls: ReadonlyArray<ModelCall>
  /** Undefined where the provider told none. */
  readonly usage: ModelUsage | undefined
}

export interface Verdict {
  /** Calls to take out of the answer, by id, each with the text that says why. */
  readonly removed: ReadonlyMap<string, string>
  /** The answer was blocked as a whole and is fed back: ask again with it and `feedback`, under a new turn. */
  readonly retry: boolean
  /** Where `retry`: the result to tell the model for each of its calls, by id. Empty otherwise. */
  readonly feedback: ReadonlyMap<string, string>
}

/** One model call. `finish` or `fail` is called, once. */
export interface Turn {
  /** Tools of the request that may not be called now: it goes out without them. */
  readonly removed: ReadonlySet<string>
  /** What to add to the request's instructions (`narrowingFeedback: "inject"`); undefined for nothing. */
  readonly notice: string | undefined
  /** To add to the answer's headers (`narrowingFeedback: "metadata"`). */
  readonly headers: Readonly<Record<string, string>>
  /** Aborts when the session ends: the call must stop, in the middle of a stream too, with the signal's reason. */
  readonly signal: AbortSignal
  /**
   * Judges a whole answer, admits its calls together or not at all, and settles what it has cost in any case. Rejects with what
   * the caller is to be told in place of the answer.
   */
  finish(answer: ModelAnswer): Promise<Verdict>
  /** The call failed or was left: what was reserved returns, what was used is settled. Never rejects. */
  fail(usage: ModelUsage | undefined): Promise<void>
}

export interface Governor {
  /** Narrows, checks the limits, reserves. Rejects where the model may not be asked. */
  begin(request: ModelRequest): Promise<Turn>
}
