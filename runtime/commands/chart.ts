/**
 * A small picture of a series in a terminal: its values in braille dots, two columns and four rows to a character, the
 * limit as a line, and below it when an alert fired. Pure: text out.
 *
 *   -9.5 ┤                    ⢀⠤⠒⠤⡀
 *        │                  ⢀⠔⠁   ⠈⢆
 *    -15 ┤┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄┄⡠⠃┄┄┄┄┄┄⠈⢢┄┄┄┄┄┄┄┄┄┄┄┄┄┄
 *  -18.2 ┤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠒⠉           ⠑⠢⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤⠤
 *        └────────────────────────────────────────────
 *                           ━━━━━━━━
 *         2026-11-16 08:00            2026-11-23 08:00
 *
 * Ours, because those of others draw one point to a column: of a week in eighty columns they show every hundredth minute,
 * and an alert is about the minutes between. Here every reading is under some dot.
 */
import { formatNumber } from '../../rules/alert/template.ts'
import type { Paint } from './terminal.ts'
import type { Trace, TraceSpan } from './trace.ts'

export type ChartOptions = {
  /** Characters across, labels and all. */
  readonly width: number
  /** Rows of the picture itself. */
  readonly height: number
  readonly paint: Paint
}

/** What stands left of the picture: a label, a space and the axis. */
export const gutter = 12

/** The columns of a trace that fill a chart of this width: two to a character. */
export const traceColumns = (width: number): number => 2 * Math.max(8, width - gutter)

/** The picture with its last line feed; `firing` are the spans to be marked. Empty if there is nothing to draw. */
export function drawChart(trace: Trace, firing: readonly TraceSpan[], { height, paint }: ChartOptions): string {
  const cells = trace.columns / 2
  const marked = marks(trace, firing, cells)
  const bar = marked.map(is => (is ? '━' : ' ')).join('')
  const below = [`${' '.repeat(gutter - 1)}└${'─'.repeat(cells)}`]
  if (firing.length > 0) below.push(' '.repeat(gutter) + painted(bar, marked, 'red', paint).trimEnd())
  below.push(' '.repeat(gutter) + paint('dim', timeAxis(trace.span, cells)))
  if (trace.isEmpty) return `${below.join('\n')}\n`

  const scale = scaleOf(trace, height)
  const dots = plot(trace, scale)
  const limits = limitRows(trace, scale, cells)
  const labels = axisLabels(trace, scale)
  const rows = dots.map((row, index) => {
    const text = row.map((bits, cell) => (bits === 0 ? (limits[index]?.[cell] ?? ' ') : braille(bits)))
    const label = labels.get(index)
    const axis = `${(label ?? '').padStart(gutter - 2)} ${label === undefined ? '│' : '┤'}`
    return (paint('dim', axis) + rowText(text, marked, paint)).trimEnd()
  })
  return `${[...rows, ...below].join('\n')}\n`
}

type Scale = { readonly low: number; readonly high: number; readonly dots: number }

/** From the least to the greatest of values and limits; a flat line lies in the middle. */
function scaleOf(trace: Trace, height: number): Scale {
  let [low, high] = [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]
  const take = (value: number): void => {
    low = Math.min(low, value)
    high = Math.max(high, value)
  }
  for (let column = 0; column < trace.columns; column++) {
    const seen = trace.at(column)
    if (!seen) continue
    take(seen.min)
    take(seen.max)
  }
  for (const side of ['above', 'below'] as const) {
    for (const limit of trace.limits(side)) if (limit !== undefined) take(limit)
  }
  const slack = high > low ? 0 : Math.abs(high) * 0.1 || 1
  const most = Number.MAX_VALUE
  return { low: Math.max(-most, low - slack), high: Math.min(most, high + slack), dots: height * 4 }
}

/** The row of dots of a value, 0 on top. */
function dotOf({ low, high, dots }: Scale, value: number): number {
  // Halves first: the difference of the two ends of all doubles is no double.
  const share = (value / 2 - low / 2) / (high / 2 - low / 2)
  return dots - 1 - Math.min(dots - 1, Math.max(0, Math.round(share * (dots - 1))))
}

/** The bits of a braille character, by column (0, 1) and row (0 to 3) of its dots. */
const bitsOf = [
  [0x01, 0x02, 0x04, 0x40],
  [0x08, 0x10, 0x20, 0x80],
] as const
const braille = (bits: number): string => String.fromCodePoint(0x2800 + bits)

function plot(trace: Trace, scale: Scale): number[][] {
  const rows = Array.from({ length: scale.dots / 4 }, () => emptyRow(trace.columns / 2, 0))
  const line = (column: number, from: number, to: number): void => {
    for (let dot = Math.min(from, to); dot <= Math.max(from, to); dot++) {
      const row = rows[dot >> 2] as number[]
      const cell = column >> 1
      row[cell] = (row[cell] ?? 0) | (bitsOf[column & 1]?.[dot & 3] ?? 0)
    }
  }
  const joined = joinedWithin(trace)
  let before: { column: number; dot: number } | undefined
  for (let column = 0; column < trace.columns; column++) {
    const seen = trace.at(column)
    if (!seen) continue
    line(column, dotOf(scale, seen.min), dotOf(scale, seen.max))
    const first = dotOf(scale, seen.first)
    if (before && column - before.column <= joined) {
      const [run, rise] = [column - before.column, first - before.dot]
      const heightAt = (at: number): number => Math.round((before?.dot ?? 0) + (rise * at) / run)
      for (let at = 1; at < run; at++) line(before.column + at, heightAt(at - 1), heightAt(at))
      line(column, heightAt(run - 1), first)
    }
    before = { column, dot: dotOf(scale, seen.last) }
  }
  return rows
}

/** Columns so far apart are joined: a slow sensor is a line, and where it fell silent there is a gap. */
function joinedWithin(trace: Trace): number {
  const gaps: number[] = []
  let before: number | undefined
  for (let column = 0; column < trace.columns; column++) {
    if (!trace.at(column)) continue
    if (before !== undefined) gaps.push(column - before)
    before = column
  }
  const usual = gaps.toSorted((a, b) => a - b)[gaps.length >> 1] ?? 1
  return Math.ceil(usual * 2.5)
}

/** Where a limit runs: by row, then by cell. */
function limitRows(trace: Trace, scale: Scale, cells: number): (string | undefined)[][] {
  const rows = Array.from({ length: scale.dots / 4 }, () => emptyRow<string | undefined>(cells, undefined))
  for (const side of ['above', 'below'] as const) {
    const limits = trace.limits(side)
    for (let cell = 0; cell < cells; cell++) {
      const limit = limits[cell * 2 + 1]
      if (limit === undefined) continue
      const row = rows[dotOf(scale, limit) >> 2]
      if (row) row[cell] = limitSign
    }
  }
  return rows
}
const limitSign = '┄'

/** The top, the bottom and the last limit of each side, where there is room for them. */
function axisLabels(trace: Trace, scale: Scale): Map<number, string> {
  const labels = new Map<number, string>()
  const label = (value: number): void => void labels.set(dotOf(scale, value) >> 2, short(value))
  label(scale.high)
  label(scale.low)
  for (const side of ['above', 'below'] as const) {
    const limit = trace.limits(side).at(-1)
    if (limit !== undefined) label(limit)
  }
  return labels
}

/** At most ten characters, which is what the gutter holds. */
function short(value: number): string {
  const text = formatNumber(value)
  return text.length <= gutter - 2 ? text : value.toExponential(2)
}

/** Which cells lie in a span; a short one marks the cell that it is in. */
function marks(trace: Trace, spans: readonly TraceSpan[], cells: number): boolean[] {
  const marked = emptyRow(cells, false)
  const { fromMs, toMs } = trace.span
  for (const span of spans) {
    const first = trace.columnOf(Math.max(fromMs, span.fromMs))
    const last = trace.columnOf(Math.min(toMs, span.toMs))
    if (first !== undefined && last !== undefined) marked.fill(true, first >> 1, (last >> 1) + 1)
  }
  return marked
}

/** Begin and end of the picture, in UTC. */
function timeAxis({ fromMs, toMs }: TraceSpan, cells: number): string {
  const seconds = toMs - fromMs < 600_000
  const [from, to] = [fromMs, toMs].map(ms =>
    new Date(ms)
      .toISOString()
      .replace('T', ' ')
      .slice(0, seconds ? 19 : 16),
  )
  const room = cells - (from?.length ?? 0) - (to?.length ?? 0)
  return room < 1 ? (from ?? '') : `${from}${' '.repeat(room)}${to}`
}

function rowText(cells: readonly string[], marked: readonly boolean[], paint: Paint): string {
  return runs(cells, (cell, index) => (cell === limitSign ? 'yellow' : marked[index] ? 'red' : 'cyan'))
    .map(({ text, style }) => (text.trim() === '' ? text : paint(style, text)))
    .join('')
}

function painted(text: string, marked: readonly boolean[], style: 'red', paint: Paint): string {
  return runs(Array.from(text), (_, index) => (marked[index] ? style : undefined))
    .map(run => (run.style === undefined ? run.text : paint(run.style, run.text)))
    .join('')
}

/** Neighbours of one style together, so that a picture is not mostly escapes. */
function runs<Style>(
  cells: readonly string[],
  styleOf: (cell: string, index: number) => Style,
): { text: string; style: Style }[] {
  const found: { text: string; style: Style }[] = []
  for (const [index, cell] of cells.entries()) {
    const style = styleOf(cell, index)
    const last = found.at(-1)
    if (last && last.style === style) last.text += cell
    else found.push({ text: cell, style })
  }
  return found
}

function emptyRow<Cell>(length: number, cell: Cell): Cell[] {
  return Array.from({ length }, () => cell)
}
