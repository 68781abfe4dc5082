/** The writer's thread: takes messages in order, one at a time, and folds what is pending when none come. */
import { parentPort, workerData } from "node:worker_threads"
import { failureOf } from "./failures.ts"
import type { WriterMessage, WriterOptions, WriterReply } from "./messages.ts"
import { Writer } from "./Writer.ts"

const port = parentPort
if (port === null) throw new Error("this module is the entry of a worker thread")

const open = (): Writer | undefined => {
  try {
    return new Writer(workerData as WriterOptions)
  } catch (error) {
    const failure = failureOf(error)
    if (failure === undefined) throw error
    port.postMessage({ failure })
    return undefined
  }
}

const writer = open()
if (writer !== undefined) {
  let resting: NodeJS.Timeout | undefined
  const fold = (): void => {
    try {
      writer.fold()
    } catch (error) {
      // Whoever needs the fold asks for it, and is told then.
      if (failureOf(error) === undefined) throw error
    }
  }
  port.on("message", (message: WriterMessage) => {
    clearTimeout(resting)
    const reply: WriterReply = writer.handle(message)
    port.postMessage(reply)
    if (message.kind === "close") {
      writer.close()
      port.close()
    } else if (Number.isFinite(writer.restMs)) resting = setTimeout(fold, writer.restMs)
  })
  port.postMessage({ failure: null })
}
