/**
 * Reading the keys of a map: known ones by name, unknown ones reported with the nearest known one.
 *
 * A reader answers undefined for a value that it has reported, so that what stands beside it is still checked.
 */
import type { Locate, Report } from "./Diagnostic.ts"
import { didYouMean } from "./suggest.ts"
import { describe, entryOf, type MapNode, type Node } from "./tree.ts"

export type Read<A> = (node: Node, report: Report) => A | undefined

export class Fields<Key extends string> {
  readonly node: MapNode
  private readonly report: Report

  private constructor(node: MapNode, report: Report) {
    this.node = node
    this.report = report
  }

  /** The map's keys, after a report of each one that is not among `known`. Undefined when it is no map. */
  static open<Key extends string>(
    node: Node,
    what: string,
    known: ReadonlyArray<Key>,
    report: Report,
  ): Fields<Key> | undefined {
    const map = readMap(what)(node, report)
    if (map === undefined) return undefined
    const names: ReadonlySet<string> = new Set(known)
    for (const { key, at } of map.entries) {
      if (names.has(key)) continue
      report(
        "unknown_key",
        at,
        `${what} has no key \`${key}\``,
        () => didYouMean(key, known) ?? `known keys: ${known.join(", ")}`,
      )
    }
    return new Fields(map, report)
  }

  has(key: Key): boolean {
    return entryOf(this.node, key) !== undefined
  }

  /** The node of the key's value. */
  value(key: Key): Node | undefined {
    return entryOf(this.node, key)?.value
  }

  /** The key's value, or undefined when it is absent or was reported. */
  get<A>(key: Key, read: Read<A>): A | undefined {
    const entry = entryOf(this.node, key)
    return entry === undefined ? undefined : read(entry.value, this.report)
  }

  /** As `get`, and an absent key is reported. */
  require<A>(key: Key, read: Read<A>, what: string): A | undefined {
    if (!this.has(key)) this.report("missing_key", this.node.at, `${what} needs the key \`${key}\``)
    return this.get(key, read)
  }

  /** Where the key's value stands, or the map when it is absent. */
  at(key: Key): Locate {
    return entryOf(this.node, key)?.value.at ?? this.node.at
  }
}

const readMap =
  (what: string): Read<MapNode> =>
  (node, report) => {
    if (node.kind === "map") return node
    report("wrong_type", node.at, `${what} must be a map, but this is ${describe(node)}`, () => whenEmpty(node, "{}"))
    return undefined
  }

/** The items of a list that could be read. */
export const readList =
  <A>(what: string, most: number, readItem: Read<A>): Read<ReadonlyArray<A>> =>
  (node, report) => {
    if (node.kind !== "list") {
      report("wrong_type", node.at, `${what} must be a list, but this is ${describe(node)}`, () =>
        whenEmpty(node, "[]"),
      )
      return undefined
    }
    if (node.items.length > most) {
      report("out_of_range", node.at, `${what} may have at most ${most} items, but this has ${node.items.length}`)
    }
    return node.items
      .slice(0, most)
      .map((item) => readItem(item, report))
      .filter((item) => item !== undefined)
  }

/** The values of a map whose keys are free, by key. */
export const readEntries =
  <A>(
    what: string,
    most: number,
    readValue: Read<A>,
  ): Read<ReadonlyArray<{ readonly key: string; readonly at: Locate; readonly value: A }>> =>
  (node, report) => {
    const map = readMap(what)(node, report)
    if (map === undefined) return undefined
    if (map.entries.length > most) {
      report("out_of_range", map.at, `${what} may have at most ${most} keys, but this has ${map.entries.length}`)
    }
    return map.entries.slice(0, most).flatMap(({ key, at, value }) => {
      const read = readValue(value, report)
      return read === undefined ? [] : [{ key, at, value: read }]
    })
  }

const whenEmpty = (node: Node, empty: string): string | undefined =>
  node.kind === "scalar" && node.value === null ? `leave the key out, or write \`${empty}\`` : undefined
