/**
 * Pretend hours of a factory under rules of every kind, to see that what the judge remembers does not grow: holds, bands
 * out of rows, alerts that wait for somebody, ones that flap, silence, windows, statistics, recordings, and readings that
 * come late. Each device sends every ten seconds; one in fifty is silent every other hour.
 */
import { type ReadingEntry, type Series, asSeq } from '../../runtime/store/types.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { judging } from './judging.ts'
import { bytesInUse } from './memory.ts'
import { deviceCount, fleet, readRules, startMs, thresholds, valueAt } from './plant.ts'

const everyMs = 10_000
const hourMs = 3_600_000
const dayMs = 24 * hourMs

const match = 'match: { metric: temperature }'
const rules = [
  `{ alert: Held, ${match}, above: 26, clear: 25, for: 1m }`,
  `{ alert: Band, ${match}, above: { key: "{device}/{metric}" }, below: 11, keep_firing_for: 2m }`,
  `{ alert: Latched, ${match}, above: 27, latch: true }`,
  `{ alert: Flapping, ${match}, above: 18, flapping: { changes: 3, within: 1h } }`,
  `{ alert: Silent, ${match}, absent: 10m }`,
  `{ alert: Rising, ${match}, expr: "rate(5m) > 0.02" }`,
  `{ alert: Odd, ${match}, expr: "zscore(1h) > 3.0", interval: 5m }`,
  `{ alert: Device, ${match}, per: device, expr: "avg(10m) > 25.0" }`,
  `{ alert: Few, ${match}, per: all, expr: "devices(5m) < 900", interval: 1m }`,
  `{ record: temperature_average, ${match}, expr: "avg(5m)", interval: 5m }`,
]

export type LongRun = {
  readonly verdicts: number
  /** After each pretend hour. */
  readonly bytesInUse: readonly number[]
}

/** `hours` are at least three: windows of an hour are full after the second. */
export function longRun(hours: number): LongRun {
  const rows = thresholds()
  const judge = judging(readRules(rules), (_, key) => rows.get(key))
  const { series } = fleet()
  const inUse: number[] = []
  let [verdicts, seq, n] = [0, 0, 0]
  for (let hour = 0; hour < hours; hour++) {
    for (let atMs = hour * hourMs; atMs < (hour + 1) * hourMs; atMs += everyMs) {
      const entries: ReadingEntry[] = []
      for (let device = 0; device < deviceCount; device++) {
        if (device % 50 === 7 && hour % 2 === 1) continue
        entries.push(entryOf(series[device] as Series, valueAt(device, n), startMs + atMs + device, ++seq))
      }
      verdicts += judge.judge(entries)
      n++
    }
    inUse.push(bytesInUse())
  }
  return { verdicts, bytesInUse: inUse }
}

/** One in a thousand was measured yesterday. */
function entryOf(series: Series, value: number, arrivalMs: number, seq: number): ReadingEntry {
  return {
    kind: 'reading',
    seq: asSeq(seq),
    stamp: stampAt(arrivalMs),
    origin: 'gw-1',
    via: '',
    joined: false,
    series,
    value,
    arrivalMs,
    deviceTimeMs: seq % 997 === 0 ? arrivalMs - dayMs : arrivalMs,
    id: undefined,
    boot: undefined,
  }
}
