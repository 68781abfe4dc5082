/**
 * The contract over HTTP: every answer and refusal that a remote client gets is the model's, and I1 to I13 hold over what is left
 * behind, with two servers on one Postgres where each call goes to either.
 *
 * The servers are in this process, so that their clock stands until the sequence moves it. What is seen after a command is asked
 * of a third runtime on the same store, which also fires what is due before a command.
 */
import { Clock, Effect, Layer, ManagedRuntime, Schema } from "effect"
import fc from "fast-check"
import { describe, it } from "vitest"
import { KeyRing } from "../../src/adapters/http/auth/KeyRing.ts"
import { MemoryKeys } from "../../src/adapters/http/auth/MemoryKeys.ts"
import { RemoteClient } from "../../src/adapters/http/client/RemoteClient.ts"
import { HttpApp } from "../../src/adapters/http/server/HttpApp.ts"
import { listen } from "../../src/adapters/http/server/nodeServer.ts"
import { postgres } from "../../src/adapters/kysely/postgres.ts"
import { artifactOf, fromArtifact } from "../../src/definition/index.ts"
import { Command } from "../../src/machines/commands.ts"
import { Tenant } from "../../src/machines/ids.ts"
import { EmbeddedClient } from "../../src/runtime/EmbeddedClient.ts"
import { WorkflowError } from "../../src/runtime/errors.ts"
import { Governance } from "../../src/runtime/Governance.ts"
import type { Journal, StorageError } from "../../src/runtime/Journal.ts"
import { Session } from "../../src/runtime/Session.ts"
import { intentions } from "../../src/testing/model/commands.ts"
import { definitions } from "../../src/testing/model/definitions.ts"
import { run } from "../../src/testing/model/harness.ts"
import { type Door, type DoorOptions, runtimeSut, type StoreFactory } from "../../src/testing/model/runtimeSut.ts"
import { Statistics } from "../../src/testing/model/statistics.ts"
import type { Answered } from "../../src/testing/model/sut.ts"
import { dropSchema, freshSchema, postgresUrl } from "../postgres/database.ts"
import { parameters } from "../properties/parameters.ts"

type Store = () => Layer.Layer<Journal, StorageError>

/** One server with a runtime of its own. */
const start = async (store: Store, clock: Clock.Clock, keys: MemoryKeys) => {
  const governed = Governance.layer.pipe(Layer.provide(store()), Layer.provide(Layer.succeed(Clock.Clock, clock)))
  const managed = ManagedRuntime.make(governed)
  const runtime = new EmbeddedClient({
    governance: await managed.runPromise(Effect.map(Governance, (service) => service)),
    tenant: Tenant.make("default"),
    run: (effect) => managed.runPromiseExit(effect),
    close: () => managed.dispose(),
  })
  const server = await listen(await HttpApp.open({ runtime, keys, rate: false }))
  return {
    url: server.url,
    stop: async (): Promise<void> => {
      await server.close({ graceMs: 0 })
      await runtime.close()
    },
  }
}

/** Two servers of a store, and a client of each tenant that outlives them; its calls take turns between the two. */
const eitherOf = (store: Store) => {
  const keys = new MemoryKeys()
  const clients = new Map<string, RemoteClient>()
  let urls: ReadonlyArray<string> = []
  let turn = 0
  const fetchFromEither = (url: string, init: RequestInit): Promise<Response> => {
    turn += 1
    return fetch(url.replace("http://either", urls[turn % urls.length] ?? ""), init)
  }
  const clientOf = async (tenant: Tenant): Promise<RemoteClient> => {
    const known = clients.get(tenant)
    if (known !== undefined) return known
    const { key } = await new KeyRing(keys).create({ tenant, name: "all", scopes: ["agent", "read", "operator"] })
    const client = new RemoteClient({ url: "http://either", apiKey: key, fetch: fetchFromEither })
    clients.set(tenant, client)
    return client
  }
  return async (clock: Clock.Clock): Promise<Door> => {
    const servers = await Promise.all([start(store, clock, keys), start(store, clock, keys)])
    urls = servers.map(({ url }) => url)
    return {
      send: async (tenant, command, options) => answered(send(await clientOf(tenant), command, options)),
      close: async () => {
        await Promise.all(servers.map(({ stop }) => stop()))
      },
    }
  }
}

const encode = Schema.encodeSync(Command)

const send = async (client: RemoteClient, command: Command, { key, definition }: DoorOptions): Promise<unknown> => {
  const sent = encode(command)
  const call = key === undefined ? {} : { idempotencyKey: key }
  if (sent._tag === "createRoot") {
    if (definition === undefined) throw new Error("a root has a definition")
    const { _tag, definitionHash, ...input } = sent
    return client.createRoot({ ...input, definition }, call)
  }
  if (sent._tag === "attach") {
    const { _tag, ...input } = sent
    const session = await client.attach(input, call)
    return { ...(await session.state()), ...opening(session) }
  }
  const { _tag: name, ...input } = sent
  if (name === "tick") throw new Error("nobody sends a tick")
  // Each command has the method of its name, and its input is what is left of it.
  const method = client[name] as (input: object, options: object) => Promise<unknown>
  return method.call(client, input, call)
}

const answered = async (sending: Promise<unknown>): Promise<Answered> => {
  try {
    const answer = await sending
    return { ok: true, answer: answer instanceof Session ? opening(answer) : answer }
  } catch (error) {
    if (!(error instanceof WorkflowError)) throw error
    return { ok: false, code: error.code, facts: { ...error.facts, detail: error.detail } }
  }
}
/** What a session says of the answer that opened it. */
const opening = (session: Session) => {
  const { workflowId, sessionId, role, agent, parentSessionId, stateVersion, handedOver: handoff } = session
  return { workflowId, sessionId, role, agent, parentSessionId, stateVersion, handoff }
}

const eitherServer = (url: string): StoreFactory => ({
  name: "two servers on one Postgres",
  make: async () => {
    const schema = freshSchema()
    const layer = () => postgres({ url, schema, maxConnections: 2 })
    return {
      layer,
      remove: async () => {
        await dropSchema(url, schema)
      },
      openDoor: eitherOf(layer),
    }
  },
})

/** A server compiles what it is sent, and refuses what the rules alone would take, such as a limit that nothing fits in. */
const compiling = definitions.filter((definition) => fromArtifact(artifactOf(definition)).ok)

describe.skipIf(postgresUrl === undefined)("the contract over HTTP", () => {
  it("is answered, refused and shown as the model does (I1 to I13)", { timeout: 600_000 }, async () => {
    const factory = runtimeSut(eitherServer(postgresUrl ?? ""), 3)
    const statistics = new Statistics()
    await fc.assert(
      fc.asyncProperty(compiling, intentions, async (definition, sequence) => {
        await run(factory, definition, sequence, statistics)
      }),
      parameters(factory.runs),
    )
    console.log(`${factory.name}: ${statistics}`)
  })
})
