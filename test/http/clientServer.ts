/** A server in a process of its own, to be killed: `clientServer.ts STORE-FILE PORT KEY-FILE`. Says `listening URL KEY`. */
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import { HttpApp } from "../../src/adapters/http/server/HttpApp.ts"
import { listen } from "../../src/adapters/http/server/nodeServer.ts"
import { openSqliteKeys } from "../../src/adapters/kysely/keys.ts"
import { Handrail } from "../../src/sdk/Handrail.ts"

const [filename = "", port = "0", keyFile = ""] = process.argv.slice(2)
const runtime = await Handrail.open({ store: `sqlite:${filename}` })
const keys = await openSqliteKeys(filename)
if (!existsSync(keyFile))
  writeFileSync(keyFile, (await new KeyRing(keys).create({ name: "all", scopes: ["agent", "read", "operator"] })).key)
const app = await HttpApp.open({ runtime, keys, rate: false })
const { url } = await listen(app, { port: Number(port) })
process.stdout.write(`listening ${url} ${readFileSync(keyFile, "utf8")}\n`)
