/**
 * One test of a file, of which every text is known to be readable, made into what happens and what is expected, each in the
 * order of its time. Pure. What can only be said of several values together is found here.
 */
import type { Finding, LineColumn } from '../../runtime/document.ts'
import type { Json } from '../../runtime/reading.ts'
import { formatDuration, parseDurationMs } from '../../runtime/units.ts'
import { compileExpectations } from './expected.ts'
import { readingsMax, spanMsMax } from './limits.ts'
import { parseIsoMs, parseMomentMs, sinceStart, startDefault } from './moments.ts'
import { parseSeriesName, type SeriesRef } from './names.ts'
import type { Happening, InputReading, Scenario } from './scenario.ts'
import type { ScenarioFile, TestEntry } from './schema.ts'
import { countIn, valuesIn } from './values.ts'

const readingsTable = 'readings'
const thresholdsTable = 'thresholds'

const intervalDefault = '1m'

type Compiled = { readonly scenario: Scenario; readonly findings: readonly Finding[] }

export function compileTest(
  file: string,
  place: LineColumn,
  name: string,
  whole: ScenarioFile,
  entry: TestEntry,
): Compiled {
  const startMs = parseIsoMs(entry.start ?? whole.start ?? startDefault) ?? 0
  const happenings = compileHappenings(entry, startMs)
  const sent = compileReadings(entry, whole.evaluation_interval ?? intervalDefault, startMs)
  const expectations = compileExpectations(entry, startMs)
  const scenario: Scenario = {
    file,
    ...place,
    name,
    startMs,
    zone: entry.zone ?? whole.zone ?? 'UTC',
    ruleFiles: whole.rule_files,
    readings: typeof sent === 'string' ? [] : whileOff(sent, happenings),
    happenings,
    expectations,
  }
  const tooMany = typeof sent === 'string' ? [{ path: ['input_series'], message: sent }] : []
  return { scenario, findings: [...tooMany, ...timeFindings(scenario), ...offFindings(scenario)] }
}

/** Readings in the order in which they reach the gateway, or a sentence if there are too many. */
function compileReadings(entry: TestEntry, interval: string, startMs: number): InputReading[] | string {
  const count = (entry.input_series ?? []).reduce((sum, { values }) => sum + countIn(values), 0)
  if (count > readingsMax) return `more than ${readingsMax} readings in one test`
  const readings: InputReading[] = []
  for (const each of entry.input_series ?? []) {
    const name = parseSeriesName(each.series) as SeriesRef
    const everyMs = durationMs(each.interval ?? entry.interval ?? interval)
    const delayMs = durationMs(each.delay ?? '0')
    const fromMs = momentMs(each.from ?? '0', startMs)
    const values = valuesIn(each.values)
    const table = each.table ?? name.table ?? readingsTable
    const unit = each.unit ?? name.unit
    const tellsTime = each.device_time === true
    const { device, metric } = name
    for (const [index, value] of values.entries()) {
      if (value === undefined) continue
      const measuredMs = fromMs + index * everyMs
      readings.push({
        table,
        device,
        metric,
        unit,
        value,
        measuredMs,
        arrivalMs: measuredMs + delayMs,
        tellsTime,
      })
    }
  }
  return readings.toSorted(byArrival)
}

const byArrival = (a: InputReading, b: InputReading): number => a.arrivalMs - b.arrivalMs || a.measuredMs - b.measuredMs

/** A gateway that is off takes nothing: what was sent meanwhile is lost, or comes with its own time once it is back. */
function whileOff(readings: readonly InputReading[], happenings: readonly Happening[]): readonly InputReading[] {
  const offs = happenings.filter(each => each.kind === 'off')
  if (offs.length === 0) return readings
  return readings
    .flatMap(reading => {
      const off = offs.find(({ atMs, untilMs }) => reading.arrivalMs > atMs && reading.arrivalMs < untilMs)
      if (!off) return [reading]
      return off.keepsReadings ? [{ ...reading, arrivalMs: off.untilMs, tellsTime: true }] : []
    })
    .toSorted(byArrival)
}

function compileHappenings(entry: TestEntry, startMs: number): Happening[] {
  const at = (text: string | 0): number => momentMs(text, startMs)
  const happenings: Happening[] = [
    ...(entry.rows ?? []).map(
      (each): Happening => ({
        kind: 'row',
        atMs: at(each.at),
        table: each.table ?? thresholdsTable,
        key: each.key,
        row: each.delete ? undefined : each.row,
      }),
    ),
    ...(entry.restart ?? []).map(
      (each): Happening => ({
        kind: 'off',
        atMs: at(each.at),
        untilMs: at(each.at) + durationMs(each.for ?? '0'),
        keepsReadings: each.meanwhile === 'kept',
        isCrash: each.crash === true,
      }),
    ),
    ...(entry.clock ?? []).map(
      (each): Happening => ({
        kind: 'jump',
        atMs: at(each.at),
        byMs: durationMs(each.jump.slice(1)) * (each.jump.startsWith('-') ? -1 : 1),
      }),
    ),
    ...(entry.acks ?? []).map(
      (each): Happening => ({
        kind: 'ack',
        atMs: at(each.at),
        alertname: each.alertname,
        device: each.device,
        metric: each.metric,
        by: each.by ?? 'test',
        comment: each.comment ?? '',
      }),
    ),
    ...(entry.silences ?? []).map(
      (each, index): Happening => ({
        kind: 'silence',
        atMs: at(each.at),
        untilMs: at(each.at) + durationMs(each.for),
        id: each.id ?? `silence-${index + 1}`,
        match: each.match as Json,
        by: each.by ?? 'test',
        comment: each.comment ?? '',
      }),
    ),
  ]
  return happenings.toSorted((a, b) => a.atMs - b.atMs)
}

/** Nothing happens before the start, and no story is longer than the longest. */
function timeFindings({ startMs, readings, happenings, expectations }: Scenario): Finding[] {
  let [first, last] = [startMs, startMs]
  const note = (ms: number): void => {
    if (ms < first) first = ms
    if (ms > last) last = ms
  }
  for (const { arrivalMs } of readings) note(arrivalMs)
  for (const { atMs } of happenings) note(atMs)
  for (const { at } of expectations) note(at.ms)
  if (first < startMs) return [{ path: [], message: 'something of this test stands before its start' }]
  if (last - startMs <= spanMsMax) return []
  return [{ path: [], message: `this test is longer than ${formatDuration(spanMsMax)}` }]
}

/** While it is off nobody can look or do anything at the gateway; readings may be sent to it, and rows may wait for it. */
function offFindings({ happenings, expectations, startMs }: Scenario): Finding[] {
  const needs = [
    ...happenings.flatMap(each => (each.kind === 'row' || each.kind === 'silence' ? [] : [each.atMs])),
    ...expectations.map(({ at }) => at.ms),
  ]
  const offs = happenings.filter(each => each.kind === 'off')
  return offs.flatMap((off, index) => {
    const duringMs = needs.find(atMs => atMs > off.atMs && atMs < off.untilMs)
    if (duringMs === undefined) return []
    const message = `the gateway is off at ${sinceStart(duringMs, startMs)}, when this test needs it`
    return [{ path: ['restart', index], message }]
  })
}

const durationMs = (text: string): number => Math.round(parseDurationMs(text) ?? 0)
const momentMs = (text: string | 0, startMs: number): number => parseMomentMs(String(text), startMs) ?? startMs
