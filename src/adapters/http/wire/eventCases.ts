/** Events of the journal as the wire has them, and back: a remote reader gets the very events that an embedded one gets. */
import type { JournalEvent } from "../../../machines/events.ts"
import { type EventType, eventData, type WireEvent } from "../api/events.ts"
import { type Camel, fromWire, toWire } from "./cases.ts"

const types = Object.keys(eventData) as ReadonlyArray<EventType>
const outward = new Map(types.map((type) => [type, toWire(eventData[type])]))
const inward = new Map(types.map((type) => [type, fromWire(eventData[type])]))

type Convert = (value: object) => object

/** In the form of the wire, and still in the names of the `Client`. */
export const flatEvent = ({ seq, at, actor, key, body }: JournalEvent): Camel<WireEvent> => {
  const { _tag, ...data } = body
  const head = key === undefined ? { seq, at, actor } : { seq, at, actor, idempotencyKey: key }
  // A body has the members of its type, which the compiler can't follow through the union.
  return { ...head, type: _tag, data } as unknown as Camel<WireEvent>
}

export const eventToWire = (event: JournalEvent): WireEvent => {
  const { type, data, idempotencyKey, ...head } = flatEvent(event)
  const key = idempotencyKey === undefined ? {} : { idempotency_key: idempotencyKey }
  return { ...head, ...key, type, data: (outward.get(type) as Convert)(data) } as unknown as WireEvent
}

export const eventFromWire = (event: WireEvent): JournalEvent => {
  const { seq, at, actor, idempotency_key: key } = event
  const data = (inward.get(event.type) as Convert)(event.data)
  const body = { _tag: event.type, ...data } as unknown as JournalEvent["body"]
  return key === undefined ? { seq, at, actor, body } : { seq, at, actor, key, body }
}
