/** Prints events: a line each for people, or a line of JSON each, as the HTTP API has them. */
import type { JournalEvent } from "../machines/events.ts"
import type { Terminal } from "./Terminal.ts"

export const eventPrinter = async (terminal: Terminal, isJson: boolean): Promise<(event: JournalEvent) => void> => {
  if (isJson) {
    const { eventToWire } = await import("../adapters/http/wire/eventCases.ts")
    return (event) => terminal.print(JSON.stringify(eventToWire(event)))
  }
  const { eventLine } = await import("./eventText.ts")
  return (event) => terminal.print(eventLine(event, terminal))
}
