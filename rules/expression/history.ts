/**
 * The functions that look at the history of a series: what each answers, and what it takes. Pure; a question without data
 * is answered with undefined, and so is one whose answer no number can hold: a device may send 1.7e308, and then once more.
 */
import type { Value } from '../../runtime/reading.ts'
import { zscoreReadingsMin } from './limits.ts'
import type { History, WindowView } from './scope.ts'

export type HistoryFunction = {
  readonly gives: 'double' | 'bool' | 'dyn'
  /** Asked with a duration: the window, or the silence. Undefined: it takes none. */
  readonly timed: ((history: History, ms: number, nowMs: number) => Value | undefined) | undefined
  /** Asked without one. Undefined: it must have one. */
  readonly plain: ((history: History, nowMs: number) => Value | undefined) | undefined
  /** What it keeps where it has a duration: a window, or nothing but the newest reading. */
  readonly keeps: 'window' | 'newest'
  /** Without a duration it looks at the reading before the newest. */
  readonly previous: boolean
  /** How many devices there are can only be asked of what the rule itself judges. */
  readonly ownOnly: boolean
  readonly example: string
}

/** Of the numbers of a window, if it has some. */
const ofNumbers =
  (answer: (view: WindowView) => number | undefined): HistoryFunction['timed'] =>
  (history, ms) => {
    const view = history.window(ms)
    return view === undefined || view.count === 0 ? undefined : finite(answer(view))
  }

const finite = (value: number | undefined): number | undefined =>
  value !== undefined && Number.isFinite(value) ? value : undefined

function windowFunction(name: string, timed: HistoryFunction['timed']): [string, HistoryFunction] {
  const more = { plain: undefined, keeps: 'window', previous: false, ownOnly: false, example: `${name}(5m)` } as const
  return [name, { gives: 'double', timed, ...more }]
}

const numberFunction = (name: string, answer: Parameters<typeof ofNumbers>[0]): [string, HistoryFunction] =>
  windowFunction(name, ofNumbers(answer))

export const historyFunctions: ReadonlyMap<string, HistoryFunction> = new Map<string, HistoryFunction>([
  numberFunction('avg', view => view.mean),
  numberFunction('min', view => view.min),
  numberFunction('max', view => view.max),
  numberFunction('sum', view => view.sum),
  numberFunction('stddev', view => view.stddev),
  numberFunction('first', view => view.first.value),
  numberFunction('rate', rateOf),
  // Nothing came is an answer too, and what somebody who counts wants to know.
  windowFunction('count', (history, ms) => history.window(ms)?.readings),
  ['devices', { ...windowFunction('devices', (history, ms) => history.window(ms)?.devices)[1], ownOnly: true }],
  ['zscore', { ...windowFunction('zscore', zscoreOf)[1], example: 'zscore(1h)' }],
  [
    'delta',
    {
      ...numberFunction('delta', view => (view.count < 2 ? undefined : view.last.value - view.first.value))[1],
      plain: history => difference(numberOf(history.value), numberOf(history.previous)),
      previous: true,
    },
  ],
  [
    'last',
    {
      ...numberFunction('last', view => view.last.value)[1],
      plain: history => history.value,
      gives: 'dyn',
      example: 'last("pressure")',
    },
  ],
  ['previous', without('previous', 'dyn', history => history.previous, true)],
  ['age', without('age', 'double', ageOf, false)],
  [
    'absent',
    {
      gives: 'bool',
      timed: (history, ms, nowMs) => (history.atMs === undefined ? undefined : nowMs - history.atMs >= ms),
      plain: undefined,
      keeps: 'newest',
      previous: false,
      ownOnly: false,
      example: 'absent(10m)',
    },
  ],
])

/** One that takes no duration. */
function without(
  name: string,
  gives: HistoryFunction['gives'],
  plain: HistoryFunction['plain'],
  previous: boolean,
): HistoryFunction {
  return { gives, timed: undefined, plain, keeps: 'newest', previous, ownOnly: false, example: `${name}()` }
}

/** Numbers as they are, switches as 1 and 0; nothing else is one. */
export function numberOf(value: unknown): number | undefined {
  if (typeof value === 'number') return value
  return typeof value === 'boolean' ? Number(value) : undefined
}

const difference = (value: number | undefined, from: number | undefined): number | undefined =>
  value === undefined || from === undefined ? undefined : finite(value - from)

/** Per second, between the first and the last reading of the window. */
function rateOf({ first, last }: WindowView): number | undefined {
  const seconds = (last.timeMs - first.timeMs) / 1_000
  return seconds > 0 ? (last.value - first.value) / seconds : undefined
}

/** How many standard deviations the newest lies from the mean of those before it: it must not be its own measure. */
function zscoreOf(history: History, ms: number): number | undefined {
  const value = numberOf(history.value)
  const before = history.window(ms)?.before
  if (value === undefined || before === undefined || before.count < zscoreReadingsMin) return undefined
  return before.stddev > 0 && before.stddev < Number.POSITIVE_INFINITY
    ? finite((value - before.mean) / before.stddev)
    : undefined
}

/** Seconds since something came. */
function ageOf(history: History, nowMs: number): number | undefined {
  return history.atMs === undefined ? undefined : Math.max(0, nowMs - history.atMs) / 1_000
}
