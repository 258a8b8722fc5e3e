/**
 * A call in an expression as a question to the scope: which function, about which series, over how long. Everything that
 * decides what must be kept (durations, names of other series, tables) is written out in the rule, so that it is known
 * before the first reading comes.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { nameBytesMax } from '../../runtime/limits.ts'
import type { Json } from '../../runtime/reading.ts'
import { formatDuration, parseDurationMs } from '../../runtime/units.ts'
import type { ExpressionFault } from './faults.ts'
import { type HistoryFunction, historyFunctions, numberOf } from './history.ts'
import { silenceMsMax, windowMsMax, windowMsMin } from './limits.ts'
import type { Scope } from './scope.ts'
import type { WallClock } from './wall.ts'

/** Whom a question is put to. One object, in which the scope changes with each evaluation. */
export type Asked = { scope: Scope; clock: WallClock }

export type Question = {
  readonly gives: 'double' | 'bool' | 'string' | 'dyn'
  /** What is calculated anew each time: a key, a default. */
  readonly given: readonly { readonly node: ASTNode; readonly type: 'string' | 'double' | 'either' }[]
  /** Undefined if there is no answer. */
  readonly answer: (asked: Asked, first?: unknown, second?: unknown, third?: unknown) => unknown
  readonly needs: QuestionNeeds
}

export type QuestionNeeds = {
  readonly series?: { readonly device: string | undefined; readonly metric: string } | 'own'
  readonly windowMs?: number
  readonly previous?: true
  readonly devices?: true
  readonly table?: string
  readonly labels?: true
  readonly time?: true
}

export type Asking =
  | { readonly ok: true; readonly question: Question }
  | { readonly ok: false; readonly fault: ExpressionFault }

/** The table of `threshold`. */
const thresholdTable = 'thresholds'

type Told = (clock: WallClock, nowMs: number) => number | string
const clockQuestions: ReadonlyMap<string, Told> = new Map<string, Told>([
  ['hour', (clock, nowMs) => clock.hour(nowMs)],
  ['minute', (clock, nowMs) => clock.minute(nowMs)],
  ['weekday', (clock, nowMs) => clock.weekday(nowMs)],
  ['time_of_day', (clock, nowMs) => clock.timeOfDay(nowMs)],
])

/** All names, with the greatest number of arguments of each. */
export const questionNames: ReadonlyMap<string, number> = new Map([
  ...[...historyFunctions.keys()].map(name => [name, 3] as const),
  ...[...clockQuestions.keys()].map(name => [name, 0] as const),
  ['threshold', 3],
  ['row', 2],
  ['label', 1],
  ['abs', 1],
])

/** Reads a call. `text` is what was written, where durations still stand. Undefined: no function of ours. */
export function questionOf(name: string, call: ASTNode, args: readonly ASTNode[], text: string): Asking | undefined {
  const known = historyFunctions.get(name)
  if (known) return historyQuestion(name, known, call, args, text)
  const told = clockQuestions.get(name)
  if (told) return clockQuestion(name, told, args)
  if (name === 'threshold') return thresholdQuestion(call, args)
  if (name === 'row') return rowQuestion(call, args)
  if (name === 'label') return labelQuestion(call, args)
  if (name === 'abs') return absQuestion(call, args)
  return undefined
}

const fault = (message: string, node: ASTNode): Asking => ({
  ok: false,
  fault: { message, offset: node.range.start },
})

function historyQuestion(
  name: string,
  known: HistoryFunction,
  call: ASTNode,
  args: readonly ASTNode[],
  text: string,
): Asking {
  const last = args.at(-1)
  const ms = last && durationOf(last, text)
  const names = ms === undefined ? args : args.slice(0, -1)
  const number = args.find(arg => arg.op === 'value' && typeof arg.args !== 'string')
  if (number) return fault(`write a duration with its unit, such as ${name}(5m)`, number)
  const early = args.slice(0, -1).find(arg => durationOf(arg, text) !== undefined)
  if (early) return fault(`the duration comes last, as in ${name}("pressure", 5m)`, early)
  if (ms === undefined && !known.plain) return fault(`${name} needs a duration, such as ${known.example}`, last ?? call)
  if (last && ms !== undefined && !known.timed) {
    return fault(`${name} takes no duration; write it as ${known.example}`, last)
  }
  if (known.ownOnly && names[0]) return fault(`${name} takes a duration alone, such as ${known.example}`, names[0])
  if (names.length > 2) {
    return fault(`${name} takes a device, a metric and a duration at most`, names[2] ?? call)
  }
  for (const part of names) {
    const wrong = objectionToName(part, text)
    if (wrong !== undefined) return fault(wrong, part)
  }
  const bounds = last && ms !== undefined ? objectionToDuration(name, known, ms) : undefined
  if (last && bounds !== undefined) return fault(bounds, last)
  const [device, metric] = names.length === 2 ? names.map(textOf) : [undefined, names[0] && textOf(names[0])]
  return { ok: true, question: aboutHistory(name, known, device, metric, ms) }
}

function aboutHistory(
  name: string,
  known: HistoryFunction,
  device: string | undefined,
  metric: string | undefined,
  ms: number | undefined,
): Question {
  const { timed, plain } = known
  const answer = (asked: Asked): unknown => {
    const { scope } = asked
    const history = metric === undefined ? scope.own : scope.other(device, metric)
    if (history === undefined) return undefined
    return ms === undefined ? plain?.(history, scope.nowMs) : timed?.(history, ms, scope.nowMs)
  }
  const overWindow = ms !== undefined && known.keeps === 'window'
  return {
    // Only over a window is the last a number for sure.
    gives: overWindow ? 'double' : known.gives,
    given: [],
    answer,
    needs: {
      series: metric === undefined ? 'own' : { device, metric },
      ...(overWindow && { windowMs: ms }),
      ...(ms === undefined && known.previous && { previous: true }),
      ...(known.ownOnly && { devices: true }),
      ...((ms !== undefined || name === 'age') && { time: true }),
    },
  }
}

/** The duration that stands there, as a literal or in quotes. */
function durationOf(node: ASTNode, text: string): number | undefined {
  if (node.op === 'value') return typeof node.args === 'string' ? parseDurationMs(node.args) : undefined
  if (node.op !== 'id') return undefined
  const written = text.slice(node.range.start, node.range.end)
  return /^\d/.test(written) ? parseDurationMs(written) : undefined
}

function objectionToDuration(name: string, { keeps }: HistoryFunction, ms: number): string | undefined {
  const max = keeps === 'window' ? windowMsMax : silenceMsMax
  if (ms >= windowMsMin && ms <= max) return undefined
  const bounds = `${formatDuration(windowMsMin)} to ${keeps === 'window' ? '24h' : formatDuration(max)}`
  return `${formatDuration(ms)} is out of bounds: ${name} takes ${bounds}`
}

function objectionToName(node: ASTNode, text: string): string | undefined {
  if (node.op === 'value' && typeof node.args === 'string') {
    if (node.args === '') return 'an empty name'
    const bytes = Buffer.byteLength(node.args)
    return bytes > nameBytesMax ? `a name of ${bytes} bytes; at most ${nameBytesMax} are possible` : undefined
  }
  const written = text.slice(node.range.start, node.range.end)
  const hint = node.op === 'id' ? `write "${written}" in quotes` : 'which series it needs must be known beforehand'
  return `the name of a device or metric is a text in quotes: ${hint}`
}

const textOf = (node: ASTNode): string => (node.op === 'value' && typeof node.args === 'string' ? node.args : '')

function clockQuestion(name: string, told: Told, args: readonly ASTNode[]): Asking {
  if (args[0]) return fault(`${name} takes nothing between its brackets: write ${name}()`, args[0])
  const gives = name === 'hour' || name === 'minute' ? 'double' : 'string'
  return {
    ok: true,
    question: { gives, given: [], answer: ({ clock, scope }) => told(clock, scope.nowMs), needs: { time: true } },
  }
}

function thresholdQuestion(call: ASTNode, args: readonly ASTNode[]): Asking {
  const [key, second, third] = args
  if (!key || args.length > 3) {
    return fault('threshold takes a key, and if you like a field and a default: threshold(device + "/max", 80)', call)
  }
  const given = [{ node: key, type: 'string' as const }]
  if (second) given.push({ node: second, type: (third ? 'string' : 'either') as 'string' })
  if (third) given.push({ node: third, type: 'double' as 'string' })
  return { ok: true, question: { gives: 'double', given, answer: answerThreshold, needs: { table: thresholdTable } } }
}

/** (key), (key, default), (key, field) or (key, field, default). */
function answerThreshold({ scope }: Asked, key: unknown, second: unknown, third: unknown): unknown {
  if (typeof key !== 'string') return undefined
  const row = scope.row(thresholdTable, key)
  const field = typeof second === 'string' ? second : undefined
  const value = row === undefined ? undefined : fieldOf(row.value, field)
  if (typeof value === 'number' && Number.isFinite(value)) return value
  const otherwise = field === undefined ? second : third
  return typeof otherwise === 'bigint' ? Number(otherwise) : numberOf(otherwise)
}

function fieldOf(row: Json, field: string | undefined): Json | undefined {
  if (field === undefined) return row
  if (typeof row !== 'object' || row === null || !Object.hasOwn(row, field)) return undefined
  return (row as { readonly [key: string]: Json })[field]
}

function rowQuestion(call: ASTNode, args: readonly ASTNode[]): Asking {
  const [table, key] = args
  if (!table || !key || args.length > 2) return fault('row takes a table and a key: row("limits", device).max', call)
  if (table.op !== 'value' || typeof table.args !== 'string' || table.args === '') {
    return fault('the table is a text in quotes: which tables a rule needs must be known beforehand', table)
  }
  const name = table.args
  const answer = ({ scope }: Asked, at: unknown): unknown =>
    typeof at === 'string' ? scope.row(name, at)?.value : undefined
  return {
    ok: true,
    question: { gives: 'dyn', given: [{ node: key, type: 'string' }], answer, needs: { table: name } },
  }
}

function labelQuestion(call: ASTNode, args: readonly ASTNode[]): Asking {
  const [name] = args
  if (!name || args.length > 1) return fault('label takes the name of a label: label("site")', call)
  const answer = ({ scope }: Asked, label: unknown): unknown =>
    typeof label === 'string' ? scope.label(label) : undefined
  return {
    ok: true,
    question: { gives: 'string', given: [{ node: name, type: 'string' }], answer, needs: { labels: true } },
  }
}

/** CEL has none, and a step may go either way. */
function absQuestion(call: ASTNode, args: readonly ASTNode[]): Asking {
  const [number] = args
  if (!number || args.length > 1) return fault('abs takes a number: abs(delta()) > 5', call)
  const answer = (_: Asked, of: unknown): unknown =>
    typeof of === 'number' || typeof of === 'bigint' ? Math.abs(Number(of)) : undefined
  return { ok: true, question: { gives: 'double', given: [{ node: number, type: 'double' }], answer, needs: {} } }
}
