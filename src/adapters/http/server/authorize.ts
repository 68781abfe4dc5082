/**
 * Whether a request may do what it asks (wire.md, "Authentication"; `api/Access.ts` says which rule an operation has).
 *
 * What belongs to another tenant is answered like what does not exist; only then is anything said about tokens. A token that
 * does not prove what the path names is refused whatever the key may do.
 */
import { Cause, Exit } from "effect"
import type { SessionId, WorkflowId } from "../../../machines/ids.ts"
import type { EmbeddedClient } from "../../../runtime/EmbeddedClient.ts"
import { fail, type WorkflowError } from "../../../runtime/errors.ts"
import type { Rule } from "../api/Access.ts"
import type { Holder } from "../auth/Authenticator.ts"
import type { Scope } from "../auth/Keys.ts"
import type { SessionTokens } from "../auth/SessionTokens.ts"

export interface Asked {
  readonly rule: Rule
  readonly holder: Holder
  readonly sessionToken: string | undefined
  /** What the path names. */
  readonly sessionId: SessionId | undefined
  readonly workflowId: WorkflowId | undefined
}

/** Who acts. */
export interface Actor {
  readonly holder: Holder
  /** The session that the caller has proven to be. */
  readonly session: SessionId | undefined
  /** As the journal says it. */
  readonly name: string
}

const forbidden = (detail: string, facts: Readonly<Record<string, string>> = {}) => fail("forbidden", detail, facts)
const wrongToken = () => forbidden("The token in Handrail-Session is not one of this session.")
const needsScope = (...scopes: ReadonlyArray<Scope>) =>
  forbidden(`The key needs the scope ${scopes.join(" or ")}.`, { needs: scopes.join(" ") })
const needsToken = () =>
  forbidden("A key with the scope agent acts for a session with its token: send it as Handrail-Session.", {
    needs: "Handrail-Session",
  })

export class Authorizer {
  readonly #host: EmbeddedClient["host"]
  readonly #tokens: SessionTokens

  constructor(host: EmbeddedClient["host"], tokens: SessionTokens) {
    this.#host = host
    this.#tokens = tokens
  }

  /** At once where nothing has to be asked; throws or rejects with `forbidden` or what does not exist. */
  authorize(asked: Asked): Actor | Promise<Actor> {
    const { rule, holder, sessionToken } = asked
    const { scopes } = holder
    const asKey: Actor = { holder, session: undefined, name: `operator:${holder.name}` }
    const scoped = (...wanted: ReadonlyArray<Scope>): Actor => {
      if (wanted.some((scope) => scopes.has(scope))) return asKey
      throw needsScope(...wanted)
    }
    switch (rule) {
      case "open":
        return asKey
      case "enter":
        return scoped("agent")
      case "list":
        return scoped("read", "operator")
      case "operate":
        scoped("operator")
        // A session's token adds nothing here, but a wrong one is refused all the same.
        return sessionToken === undefined ? asKey : this.#forWorkflow(asked, asKey, true).then(() => asKey)
      case "act":
        scoped("agent", "operator")
        return this.#forSession(asked, asKey, scopes.has("operator"))
      case "look":
        scoped("agent", "read", "operator")
        return this.#forSession(asked, asKey, scopes.has("read") || scopes.has("operator"))
      case "settle":
        scoped("agent", "operator")
        return this.#forWorkflow(asked, asKey, scopes.has("operator"))
      case "watch":
        scoped("agent", "read", "operator")
        return this.#forWorkflow(asked, asKey, scopes.has("read") || scopes.has("operator"))
    }
  }

  #forSession(asked: Asked, asKey: Actor, isEnough: boolean): Actor | Promise<Actor> {
    const { holder, sessionToken, sessionId } = asked
    if (sessionToken === undefined) return isEnough ? asKey : this.#absentOr(asked, needsToken())
    const proven = this.#tokens.read(holder.tenant, sessionToken)
    if (proven === undefined || proven !== sessionId) return this.#absentOr(asked, wrongToken())
    return { holder, session: proven, name: proven }
  }

  async #forWorkflow(asked: Asked, asKey: Actor, isEnough: boolean): Promise<Actor> {
    const { holder, sessionToken, workflowId } = asked
    if (sessionToken === undefined) return isEnough ? asKey : this.#absentOr(asked, needsToken())
    const proven = this.#tokens.read(holder.tenant, sessionToken)
    if (proven === undefined) return this.#absentOr(asked, wrongToken())
    const located = await this.#host.run(this.#host.governance.locate(holder.tenant, proven))
    if (Exit.isSuccess(located) && located.value === workflowId) return { holder, session: proven, name: proven }
    return this.#absentOr(asked, wrongToken())
  }

  /** Refuses with what the path names not being there, or else with `why`. */
  async #absentOr({ holder, sessionId, workflowId }: Asked, why: WorkflowError): Promise<never> {
    const { governance, run } = this.#host
    const found =
      sessionId !== undefined
        ? await run(governance.locate(holder.tenant, sessionId))
        : workflowId !== undefined
          ? await run(governance.query(holder.tenant, workflowId, () => workflowId))
          : undefined
    throw found !== undefined && Exit.isFailure(found) ? Cause.squash(found.cause) : why
  }
}
