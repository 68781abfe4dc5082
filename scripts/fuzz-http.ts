/**
 * `npm run fuzz:http -- --requests 50000 [--seed N]`: requests made from the OpenAPI document, through real sockets, some of them cut
 * off in the middle. Ends with an error at the first answer that is not as it should be, with the seed that repeats it.
 */
import { request as httpRequest } from "node:http"
import { parseArgs } from "node:util"
import { openApiDocument } from "../src/adapters/http/api/openapi.ts"
import { KeyRing } from "../src/adapters/http/auth/KeyRing.ts"
import { MemoryKeys } from "../src/adapters/http/auth/MemoryKeys.ts"
import { SessionTokens } from "../src/adapters/http/auth/SessionTokens.ts"
import { HttpApp } from "../src/adapters/http/server/HttpApp.ts"
import { listen } from "../src/adapters/http/server/nodeServer.ts"
import { SessionId, Tenant } from "../src/machines/ids.ts"
import { Handrail } from "../src/sdk/Handrail.ts"
import { Random } from "../test/crash/Random.ts"
import { readDocument } from "../test/http/fuzz/document.ts"
import { complaint, type FuzzAnswer, Fuzzer, type FuzzRequest } from "../test/http/fuzz/Fuzzer.ts"
import { Scene } from "../test/http/fuzz/scene.ts"

const { values: options } = parseArgs({
  options: {
    requests: { type: "string", default: "50000" },
    seed: { type: "string" },
    store: { type: "string", default: "memory:" },
  },
})
const requests = Number(options.requests)
const seed = Number(options.seed ?? Date.now() % 1_000_000)
const concurrency = 16
const hangMs = 20_000
const cutPercent = 2

const runtime = await Handrail.open({ store: options.store })
const keys = new MemoryKeys()
const { key } = await new KeyRing(keys).create({ name: "fuzzer", scopes: ["agent", "read", "operator"] })
const tokens = await SessionTokens.open(keys)
const defects: Array<unknown> = []
const app = await HttpApp.open({ runtime, keys, rate: false, onDefect: (error) => defects.push(error) })
const server = await listen(app)
const scene = new Scene(runtime)
const random = new Random(seed + 1)
const fuzzer = new Fuzzer(seed, readDocument(openApiDocument()), () => scene.known, {
  key,
  tokens: () => scene.sessions.map((id) => tokens.issue(Tenant.make("default"), SessionId.make(id))),
})

/** Undefined where it was cut off on purpose. */
const send = ({ method, path, headers, body }: FuzzRequest, cut: boolean): Promise<FuzzAnswer | undefined> =>
  new Promise((resolve, reject) => {
    const hang = setTimeout(() => reject(new Error(`no answer within ${hangMs} ms`)), hangMs)
    const done = (answer: FuzzAnswer | undefined): void => {
      clearTimeout(hang)
      resolve(answer)
    }
    const length = body === null ? undefined : Buffer.byteLength(body)
    const asked = httpRequest(
      {
        port: server.port,
        host: "127.0.0.1",
        method,
        path,
        headers: { ...headers, ...(length === undefined ? {} : { "content-length": length + (cut ? 10 : 0) }) },
      },
      (response) => {
        let text = ""
        response.setEncoding("utf8")
        response.on("data", (chunk: string) => {
          text += chunk
        })
        response.on("error", () => done(undefined))
        response.on("end", () =>
          done({ status: response.statusCode ?? 0, contentType: response.headers["content-type"] ?? "", text }),
        )
      },
    )
    asked.on("error", (error) => {
      clearTimeout(hang)
      if (cut) resolve(undefined)
      else reject(error)
    })
    if (body !== null) asked.write(body)
    if (!cut) asked.end()
    else setImmediate(() => asked.destroy())
  })

const codes = new Map<string, number>()
let sent = 0
let failure: string | undefined

const work = async (): Promise<void> => {
  while (sent < requests && failure === undefined) {
    const n = sent
    sent += 1
    if (n % 40 === 0) await scene.renew()
    const request = fuzzer.next()
    const cut = random.chance(cutPercent)
    const described = () =>
      `seed ${seed}, request ${n}: ${JSON.stringify({ ...request, operation: request.operation.id, body: String(request.body).slice(0, 1000) })}`
    try {
      const answer = await send(request, cut)
      if (answer === undefined) continue
      const wrong = complaint(request, answer)
      if (wrong !== undefined) failure ??= `${wrong}\n${described()}\n→ ${answer.status} ${answer.text.slice(0, 1000)}`
      const code = answer.status < 400 ? String(answer.status) : String(/"code":"(\w+)"/.exec(answer.text)?.[1])
      codes.set(code, (codes.get(code) ?? 0) + 1)
    } catch (error) {
      failure ??= `${String(error)}\n${described()}`
    }
  }
}

console.log(`${requests} requests, seed ${seed}`)
await Promise.all(Array.from({ length: concurrency }, work))
const figures = app.figures()
const ended = await server.close({ graceMs: 10_000 })
await runtime.close()
for (const [code, count] of [...codes].toSorted(([, a], [, b]) => b - a))
  console.log(`${String(count).padStart(8)} ${code}`)
if (defects.length > 0) failure ??= `defects: ${defects.map(String).join("; ")}`
if (figures.streams > 0 || figures.feeds > 0 || !ended)
  failure ??= `something was left behind: ${JSON.stringify(figures)}`
console.log(failure ?? `${sent} requests, all answered as they should be`)
process.exitCode = failure === undefined ? 0 : 1
