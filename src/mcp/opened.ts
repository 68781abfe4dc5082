/** A session that this connection acts for, as the model is told of it: without its token, which is a secret. */
import { Schema } from "effect"
import { SessionOpened } from "../adapters/http/api/answers.ts"
import { toWire } from "../adapters/http/wire/cases.ts"
import { SessionId, WorkflowId } from "../machines/ids.ts"
import type { Session } from "../runtime/Session.ts"

const { session_token: _token, seq: _seq, warnings: _warnings, ...fields } = SessionOpened.fields

export const Opened = Schema.Struct(fields)

const json = toWire(Opened)

export const openedJson = ({
  sessionId,
  workflowId,
  role,
  agent,
  parentSessionId,
  stateVersion,
  handedOver,
}: Session): (typeof Opened)["Type"] =>
  json({
    sessionId: SessionId.make(sessionId),
    workflowId: WorkflowId.make(workflowId),
    role,
    agent,
    stateVersion,
    ...(parentSessionId === null ? {} : { parentSessionId: SessionId.make(parentSessionId) }),
    ...(handedOver === null ? {} : { handoff: handedOver }),
  })
