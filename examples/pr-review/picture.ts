/**
 * The picture at the end of a run: who worked for whom, what was handed over, what was held, and what it cost.
 *
 * Drawn from plain data, so that it can show a live workflow, a stored one or a test's. At most 100 columns (names are
 * cut, never wrapped), no control character of a name reaches the terminal, colour only where it is asked for.
 */

import type { Colour, Paint } from "./terminal.ts"
import { clip, money, pad, painter, plain, width } from "./terminal.ts"

export interface PictureSession {
  readonly sessionId: string
  readonly role: string
  readonly agent: string
  readonly parentSessionId: string | null
  readonly status: string
  readonly handoffId: string | null
  readonly stepsCommitted?: number
}
export interface PictureHandoff {
  readonly handoffId: string
  readonly fromRole: string
  readonly toRole: string
  readonly status: string
  readonly generation: number
  readonly claimedBy: string | null
}
export interface PictureResource {
  readonly name: string
  readonly key: string
  readonly mode: string
  readonly owner: string | null
  readonly holders: readonly string[]
  readonly fence: number
  readonly version: number
}
export interface PictureCounter {
  readonly used: number
  readonly reserved: number
  readonly max: number | null
}
export const ledgerNames = ["sessions", "activeSessions", "steps", "cost", "tokens", "openHandoffs"] as const
export type LedgerName = (typeof ledgerNames)[number]

export interface Picture {
  readonly workflowId: string
  readonly status: string
  readonly sessions: readonly PictureSession[]
  readonly handoffs: readonly PictureHandoff[]
  readonly resources: readonly PictureResource[]
  readonly ledger: Readonly<Record<LedgerName, PictureCounter>>
  readonly kills: readonly {
    readonly killId: string
    readonly scope: string
    readonly reason: string
    readonly state: string
  }[]
}

export interface PictureOptions {
  /** Columns, 60 to 100. Default 100. */
  readonly columns?: number
  /** Default false: `wantsColour()` tells. */
  readonly colour?: boolean
}

/** The picture as lines without a newline at the end. */
export const drawPicture = (picture: Picture, { columns = 100, colour = false }: PictureOptions = {}): string => {
  const paint = painter(colour)
  const inner = Math.min(100, Math.max(60, columns)) - 4
  const sections = [
    section("sessions", sessionLines(picture.sessions, inner, paint), inner, paint),
    section("handoffs", table(handoffRows(picture.handoffs), handoffColumns, inner, paint), inner, paint),
    section("resources", table(resourceRows(picture.resources), resourceColumns, inner, paint), inner, paint),
    section("ledger", ledgerLines(picture.ledger, inner, paint), inner, paint),
  ]
  if (picture.kills.length > 0) sections.push(section("kills", killLines(picture.kills, inner, paint), inner, paint))
  const head = [`╭${"─".repeat(inner + 2)}╮`, title(picture, inner, paint)]
  return [...head, ...sections.flat(), `╰${"─".repeat(inner + 2)}╯`].join("\n")
}

/** A cell of text with the colour that it will have: measured first, painted last. */
interface Cell {
  readonly text: string
  readonly colour?: Colour
}
const cell = (text: string, colour?: Colour): Cell =>
  colour === undefined ? { text: plain(text) } : { text: plain(text), colour }

const colours: Readonly<Record<string, Colour>> = {
  active: "cyan",
  offered: "cyan",
  claimed: "cyan",
  in_progress: "cyan",
  completed: "green",
  quiescent: "green",
  failed: "red",
  killed: "red",
  fenced: "yellow",
  expired: "yellow",
  withdrawn: "yellow",
}
const statusCell = (status: string): Cell => {
  const colour = Object.hasOwn(colours, status) ? colours[status] : undefined
  return cell(status, colour)
}

/** A line of the box from cells that follow each other; what does not fit is cut. */
const row = (cells: readonly Cell[], inner: number, paint: Paint): string => {
  let left = inner
  let line = ""
  for (const { text, colour } of cells) {
    const shown = clip(text, left)
    left -= width(shown)
    line += colour === undefined ? shown : paint(colour, shown)
  }
  return `│ ${line}${" ".repeat(left)} │`
}

const title = ({ workflowId, status }: Picture, inner: number, paint: Paint): string => {
  const end = statusCell(status)
  const name = pad(`workflow ${plain(workflowId)}`, inner - width(end.text) - 1)
  return row([{ text: name, colour: "bold" }, cell(" "), end], inner, paint)
}

const section = (name: string, lines: readonly string[], inner: number, paint: Paint): readonly string[] => {
  const rule = `├─ ${paint("bold", name)} ${"─".repeat(inner - name.length - 1)}┤`
  return [rule, ...(lines.length > 0 ? lines : [row([cell("none", "dim")], inner, paint)])]
}

const maxRows = 40

const sessionLines = (sessions: readonly PictureSession[], inner: number, paint: Paint): readonly string[] => {
  const known = new Set(sessions.map(({ sessionId }) => sessionId))
  const children = new Map<string | null, PictureSession[]>()
  for (const session of sessions) {
    // A page of a large workflow may lack a parent; its children are then shown as roots rather than not at all.
    const parent =
      session.parentSessionId !== null && known.has(session.parentSessionId) ? session.parentSessionId : null
    children.set(parent, [...(children.get(parent) ?? []), session])
  }
  const lines: string[] = []
  const seen = new Set<string>()
  const draw = (session: PictureSession, lead: string, branch: string): void => {
    if (seen.has(session.sessionId) || lines.length === maxRows) return
    seen.add(session.sessionId)
    lines.push(sessionRow(session, `${lead}${branch}`, inner, paint))
    const own = children.get(session.sessionId) ?? []
    const below = branch === "" ? lead : `${lead}${branch === "└─ " ? "   " : "│  "}`
    for (const [index, child] of own.entries()) draw(child, below, index === own.length - 1 ? "└─ " : "├─ ")
  }
  for (const root of children.get(null) ?? []) draw(root, "", "")
  if (seen.size < sessions.length)
    lines.push(row([cell(`… and ${sessions.length - seen.size} more`, "dim")], inner, paint))
  return lines
}

const sessionRow = (session: PictureSession, tree: string, inner: number, paint: Paint): string => {
  const status = statusCell(session.status)
  const count = session.stepsCommitted
  const steps = count === undefined ? "" : `${count} step${count === 1 ? "" : "s"}`
  const who = `${tree}${plain(session.role)}`
  const cells: Cell[] = [
    { text: pad(who, 26), colour: "bold" },
    { text: ` ${pad(plain(session.agent), 18)}` },
    { text: ` ${pad(plain(session.sessionId), inner - 74)}`, colour: "dim" },
    { text: ` ${pad(status.text, 10)}`, ...(status.colour === undefined ? {} : { colour: status.colour }) },
    { text: ` ${steps}`.padStart(10) },
  ]
  return row(cells, inner, paint)
}

interface Column {
  readonly title: string
  /** The most columns that it may take; what is left over in the line goes to nobody. */
  readonly max: number
}

const handoffColumns: readonly Column[] = [
  { title: "handoff", max: 24 },
  { title: "from → to", max: 30 },
  { title: "gen", max: 4 },
  { title: "status", max: 12 },
  { title: "claimed by", max: 24 },
]
const handoffRows = (handoffs: readonly PictureHandoff[]): readonly (readonly Cell[])[] =>
  handoffs.map(({ handoffId, fromRole, toRole, status, generation, claimedBy }) => [
    cell(handoffId),
    cell(`${fromRole} → ${toRole}`),
    cell(String(generation), generation > 1 ? "yellow" : undefined),
    statusCell(status),
    cell(claimedBy ?? "–", "dim"),
  ])

const resourceColumns: readonly Column[] = [
  { title: "resource", max: 36 },
  { title: "mode", max: 17 },
  { title: "held by", max: 24 },
  { title: "fence", max: 6 },
  { title: "version", max: 7 },
]
const resourceRows = (resources: readonly PictureResource[]): readonly (readonly Cell[])[] =>
  resources.map(({ name, key, mode, owner, holders, fence, version }) => {
    const held = owner ?? (holders.length > 1 ? `${holders[0]} +${holders.length - 1}` : holders[0])
    return [
      cell(`${name}/${key}`),
      cell(mode),
      cell(held ?? "free", held === undefined ? "dim" : "yellow"),
      cell(String(fence)),
      cell(String(version)),
    ]
  })

/** Columns as wide as their widest cell, up to their bound; the line is cut at the box. */
const table = (
  rows: readonly (readonly Cell[])[],
  columns: readonly Column[],
  inner: number,
  paint: Paint,
): readonly string[] => {
  if (rows.length === 0) return []
  const shown = rows.slice(0, maxRows)
  const widths = columns.map(({ title: name, max }, index) =>
    Math.min(max, Math.max(width(name), ...shown.map((cells) => width(cells[index]?.text ?? "")))),
  )
  const line = (cells: readonly Cell[]): string =>
    row(
      cells.map(({ text, colour }, index) => ({
        text: `${pad(text, widths[index] ?? 0)} `,
        ...(colour === undefined ? {} : { colour }),
      })),
      inner,
      paint,
    )
  const head = line(columns.map(({ title: name }) => ({ text: name, colour: "dim" })))
  const more =
    rows.length > shown.length ? [row([cell(`… and ${rows.length - shown.length} more`, "dim")], inner, paint)] : []
  return [head, ...shown.map(line), ...more]
}

const labels: Readonly<Record<LedgerName, string>> = {
  sessions: "sessions",
  activeSessions: "active",
  steps: "steps",
  cost: "cost",
  tokens: "tokens",
  openHandoffs: "open handoffs",
}

const ledgerLines = (ledger: Picture["ledger"], inner: number, paint: Paint): readonly string[] => {
  const lines = ledgerNames.map((name) => {
    const { used, reserved, max } = ledger[name]
    const figures = `${amount(name, used)}${reserved > 0 ? ` + ${amount(name, reserved)} reserved` : ""} of ${max === null ? "no limit" : amount(name, max)}`
    const size = inner - 16 - 36
    return row(
      [
        { text: pad(labels[name], 15) },
        { text: " " },
        ...bar({ used, reserved, max }, size),
        { text: ` ${pad(figures, 35)}` },
      ],
      inner,
      paint,
    )
  })
  return [...lines, row([cell("█ used  ▒ reserved  · free", "dim")], inner, paint)]
}

/** Money has decimals, and everything else is counted. */
const amount = (name: LedgerName, value: number): string =>
  name === "cost" ? money(value) : value.toLocaleString("en-US")

const bar = ({ used, reserved, max }: PictureCounter, size: number): readonly Cell[] => {
  if (max === null || max <= 0) return [{ text: "·".repeat(size), colour: "dim" }]
  const scale = (value: number): number => Math.min(size, Math.max(0, Math.round((value / max) * size)))
  // What was used at all must be seen, and what was overspent must not leave the bar.
  const full = used > 0 ? Math.max(1, scale(used)) : 0
  const both = Math.max(full, reserved > 0 ? Math.min(size, Math.max(full + 1, scale(used + reserved))) : full)
  const colour: Colour = used > max ? "red" : used + reserved > max * 0.8 ? "yellow" : "green"
  return [
    { text: "█".repeat(full), colour },
    { text: "▒".repeat(both - full), colour: "yellow" },
    { text: "·".repeat(size - both), colour: "dim" },
  ]
}

const killLines = (kills: Picture["kills"], inner: number, paint: Paint): readonly string[] =>
  kills.slice(0, maxRows).map(({ killId, scope, reason, state }) => {
    const tone = statusCell(state)
    return row(
      [
        { text: `${pad(plain(killId), 24)} ${pad(plain(scope), 9)} ` },
        { ...tone, text: pad(tone.text, 10) },
        { text: plain(reason) },
      ],
      inner,
      paint,
    )
  })
