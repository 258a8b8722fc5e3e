/** Scopes for the tests of expressions: everything said beforehand. */
import type { Json, Value } from '../../runtime/reading.ts'
import type { History, Scope, WindowView } from '../../rules/expression/scope.ts'

export const viewOf = (more: Partial<WindowView> = {}): WindowView => ({
  readings: 12,
  count: 12,
  sum: 36,
  min: 1,
  max: 5,
  mean: 3,
  stddev: 1.5,
  first: { value: 1, timeMs: 0 },
  last: { value: 5, timeMs: 60_000 },
  before: { count: 11, mean: 2.5, stddev: 0.5 },
  devices: 4,
  ...more,
})

type Told = {
  readonly value?: Value
  readonly previous?: Value
  readonly timeMs?: number | undefined
  readonly atMs?: number | undefined
  /** The same for every window, or by its length. */
  readonly view?: WindowView | undefined
  readonly views?: Readonly<Record<number, WindowView>>
}

export const historyOf = ({ value, previous, timeMs, atMs, view, views }: Told): History => ({
  value,
  previous,
  timeMs,
  atMs,
  window: ms => views?.[ms] ?? view,
})

export const nowMs = Date.UTC(2026, 0, 31, 7, 30)

type Surroundings = {
  readonly device?: string
  readonly unit?: string
  readonly nowMs?: number
  /** By `metric`, or `device/metric` where the device is named. */
  readonly others?: Readonly<Record<string, Told>>
  /** By `table/key`. */
  readonly rows?: Readonly<Record<string, Json>>
  readonly labels?: Readonly<Record<string, string>>
}

export function scopeOf(own: Told, more: Surroundings = {}): Scope {
  const { others = {}, rows = {}, labels = {} } = more
  return {
    device: more.device ?? 'pump-1',
    metric: 'temperature',
    unit: more.unit,
    origin: 'gw-1',
    nowMs: more.nowMs ?? nowMs,
    own: historyOf({ timeMs: nowMs, atMs: nowMs, ...own }),
    other: (device, metric) => {
      const told = others[device === undefined ? metric : `${device}/${metric}`]
      return told && historyOf(told)
    },
    row: (table, key) => {
      const value = rows[`${table}/${key}`]
      return value === undefined ? undefined : { table, key, value, stamp: 1 }
    },
    label: name => labels[name],
  }
}
