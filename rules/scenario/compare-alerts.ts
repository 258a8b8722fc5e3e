/**
 * Alerts that were expected against those that were there. Pure. As in promtool the list is all there is: an alert that
 * stands (firing or latched) and is not listed is a failure. Those that are pending, resolved or late page nobody and need
 * not be listed; but whoever lists one of a kind lists them all.
 */
import type { Json } from '../../runtime/reading.ts'
import { formatDuration } from '../../runtime/units.ts'
import { formatNumber } from '../alert/template.ts'
import type { Difference, Failure } from './failure.ts'
import { sinceStart } from './moments.ts'
import { pair } from './pairing.ts'
import type { ExpectedAlert, ExpectedSnippet, Expectation, Moment } from './scenario.ts'
import type { SeenAlert, SeenSnippet } from './seen.ts'

export type AlertExpectation = Extract<Expectation, { kind: 'alerts' }>

/** What else is known once the test has run to its end. */
export type Hindsight = {
  readonly startMs: number
  /** Every alert there ever was, as it ended. */
  readonly all: readonly SeenAlert[]
  /** Half a sentence about the readings of a series up to a moment, if it had any. */
  /** The readings before a moment as a small picture in one line. */
  readonly chartOf: (device: string, metric: string | undefined, untilMs: number) => string | undefined
  readonly readingsOf: (device: string | undefined, metric: string | undefined, untilMs: number) => string | undefined
}

export function compareAlerts(
  expectation: AlertExpectation,
  seen: readonly SeenAlert[],
  hindsight: Hindsight,
): Failure[] {
  const { at, alertname, alerts: expected } = expectation
  const present = seen.filter(({ rule }) => alertname === undefined || rule === alertname)
  const faults = (left: number, right: number): readonly Difference[] =>
    differencesOf(expected[left] as ExpectedAlert, present[right] as SeenAlert, at, hindsight)
  const partners = pair(
    expected.length,
    present.length,
    (left, right) => costOf(expected[left] as ExpectedAlert, present[right] as SeenAlert, faults(left, right)),
    neverPaired,
  )
  const base = { evalTime: at.text, evalMs: at.ms, about: alertname }
  const failures = expected.flatMap((alert, left): Failure[] => {
    const right = partners[left]
    if (right === undefined) {
      const hint = whyMissing(alert, expectation, hindsight)
      const { device, metric } = alert.labels
      const chart = device === undefined ? undefined : hindsight.chartOf(device, metric, at.ms)
      return [{ ...base, kind: 'missing', what: nameOfExpected(alert), differences: [], hint, chart }]
    }
    const differences = faults(left, right)
    const was = present[right] as SeenAlert
    const [what, chart] = [nameOf(was, alertname), hindsight.chartOf(was.device, was.metric, at.ms)]
    return differences.length === 0 ? [] : [{ ...base, kind: 'different', what, differences, hint: undefined, chart }]
  })
  const paired = new Set(partners)
  const unexpected = present.flatMap((alert, right): Failure[] => {
    if (paired.has(right) || !mustBeListed(alert, expected)) return []
    const hint = `${lifeOf(alert, hindsight.startMs)}, ${valueAndLimit(alert)}`
    const chart = hindsight.chartOf(alert.device, alert.metric, at.ms)
    return [{ ...base, kind: 'unexpected', what: nameOf(alert, alertname), differences: [], hint, chart }]
  })
  return [...failures, ...unexpected]
}

function mustBeListed({ late, state }: SeenAlert, expected: readonly ExpectedAlert[]): boolean {
  if (late) return expected.some(each => each.late)
  if (state === 'firing' || state === 'latched') return true
  return expected.some(each => !each.late && each.state === state)
}

function lifeOf({ state, late, sinceMs, firedMs, resolvedMs }: SeenAlert, startMs: number): string {
  const from = sinceStart(firedMs ?? sinceMs, startMs)
  const life =
    resolvedMs === undefined
      ? `${state} since ${from}`
      : `fired at ${from}, resolved at ${sinceStart(resolvedMs, startMs)}`
  return late ? `late, ${life}` : life
}

/** An alert of another device is another alert, however alike they are. */
const neverPaired = 1_000

function costOf(expected: ExpectedAlert, seen: SeenAlert, differences: readonly Difference[]): number {
  const { labels } = expected
  const isOther = ['alertname', 'device', 'metric'].some(
    name => labels[name] !== undefined && labels[name] !== seen.labels[name],
  )
  if (isOther || expected.late !== seen.late) return neverPaired
  const isOtherState = differences.some(({ field }) => field === 'state')
  // What is over says nothing about what should stand, unless nothing else is there.
  return differences.length + (isOtherState ? 100 : 0) + (isOtherState && seen.state === 'resolved' ? 100 : 0)
}

function differencesOf(
  expected: ExpectedAlert,
  seen: SeenAlert,
  at: Moment,
  { startMs, all }: Hindsight,
): readonly Difference[] {
  const differences: Difference[] = []
  const say = (field: string, wanted: string, was: string, hint?: string): void =>
    void differences.push({ field, expected: wanted, was, hint })
  const flag = (field: string, wanted: boolean | undefined, was: boolean): void => {
    if (wanted !== undefined && wanted !== was) say(field, String(wanted), String(was))
  }
  const moment = (field: string, wanted: Moment | undefined, was: number | undefined): void => {
    if (wanted === undefined || wanted.ms === was) return
    say(field, wanted.text, was === undefined ? 'not yet' : sinceStart(was, startMs), apart(was, wanted.ms))
  }
  if (expected.state !== undefined && expected.state !== seen.state)
    say('state', expected.state, seen.state, stateHint(seen, at, startMs, all))
  differences.push(...textDifferences('exp_labels', expected.labels, seen.labels))
  differences.push(...textDifferences('exp_annotations', expected.annotations, seen.annotations))
  if (expected.value !== undefined && !isSame(expected.value, seen.value))
    say('value', shown(expected.value), shown(seen.value))
  if (expected.threshold !== undefined && !isSame(expected.threshold, seen.threshold))
    say('threshold', shown(expected.threshold), shown(seen.threshold))
  moment('since', expected.since, seen.sinceMs)
  moment('fired_at', expected.firedAt, seen.firedMs)
  moment('resolved_at', expected.resolvedAt, seen.resolvedMs)
  flag('flapping', expected.flapping, seen.flapping)
  flag('silenced', expected.silenced, seen.silenced)
  flag('acked', expected.acked, seen.acked)
  if (expected.snippet) differences.push(...snippetDifferences(expected.snippet, seen.snippet, startMs))
  return differences
}

function textDifferences(
  field: string,
  expected: Readonly<Record<string, string>>,
  seen: Readonly<Record<string, string>>,
): Difference[] {
  return Object.entries(expected).flatMap(([name, wanted]) => {
    const was = Object.hasOwn(seen, name) ? seen[name] : undefined
    if (was === wanted) return []
    return [
      {
        field: `${field}.${name}`,
        expected: JSON.stringify(wanted),
        was: was === undefined ? 'not there' : JSON.stringify(was),
        hint: was === undefined ? `there are ${Object.keys(seen).join(', ') || 'none'}` : undefined,
      },
    ]
  })
}

function snippetDifferences(expected: ExpectedSnippet, seen: SeenSnippet | undefined, startMs: number): Difference[] {
  const say = (field: string, wanted: string, was: string, hint?: string): Difference => ({
    field: `exp_snippet.${field}`,
    expected: wanted,
    was,
    hint,
  })
  if (!seen) return [say('count', 'a snippet', 'none')]
  const { count, bytesMax, from, to, thinned, series } = expected
  const missing = (series ?? []).filter(name => !seen.series.includes(name))
  const extra = series === undefined ? [] : seen.series.filter(name => !series.includes(name))
  return [
    ...(count === undefined || count === seen.count ? [] : [say('count', String(count), String(seen.count))]),
    ...(bytesMax === undefined || seen.bytes <= bytesMax
      ? []
      : [say('bytes_max', `at most ${bytesMax}`, String(seen.bytes))]),
    ...(from === undefined || from.ms === seen.fromMs
      ? []
      : [say('from', from.text, sinceStart(seen.fromMs, startMs), apart(seen.fromMs, from.ms))]),
    ...(to === undefined || to.ms === seen.toMs
      ? []
      : [say('to', to.text, sinceStart(seen.toMs, startMs), apart(seen.toMs, to.ms))]),
    ...(thinned === undefined || thinned === seen.thinned
      ? []
      : [say('thinned', String(thinned), String(seen.thinned))]),
    ...(missing.length + extra.length === 0 ? [] : [say('series', (series ?? []).join(', '), seen.series.join(', '))]),
  ]
}

/** `30s later`, `1m earlier`. */
function apart(was: number | undefined, wantedMs: number): string | undefined {
  if (was === undefined) return undefined
  return was > wantedMs ? `${formatDuration(was - wantedMs)} later` : `${formatDuration(wantedMs - was)} earlier`
}

/** Why an alert is not in the state that was expected: what it did before, and what it did later. */
function stateHint(seen: SeenAlert, at: Moment, startMs: number, all: readonly SeenAlert[]): string | undefined {
  if (seen.state === 'resolved' && seen.resolvedMs !== undefined)
    return `it resolved at ${sinceStart(seen.resolvedMs, startMs)}, ${formatDuration(at.ms - seen.resolvedMs)} before`
  if (seen.state === 'firing') return `it fires since ${sinceStart(seen.firedMs ?? 0, startMs)}`
  if (seen.state !== 'pending') return undefined
  const later = all.find(each => isSameSubject(each, seen) && (each.firedMs ?? 0) > at.ms)
  const fired = later?.firedMs === undefined ? '' : `, and ${firedLater(later.firedMs, at, startMs)}`
  return `pending since ${sinceStart(seen.sinceMs, startMs)}${fired}`
}

function whyMissing(
  expected: ExpectedAlert,
  { at, alertname }: AlertExpectation,
  hindsight: Hindsight,
): string | undefined {
  const { startMs, all, readingsOf } = hindsight
  const { device, metric, alertname: named = alertname } = expected.labels
  const like = all.filter(
    alert =>
      (named === undefined || alert.rule === named) &&
      (device === undefined || alert.device === device) &&
      (metric === undefined || alert.metric === metric) &&
      alert.late === expected.late,
  )
  const later = like.find(alert => (alert.firedMs ?? 0) > at.ms)
  if (later?.firedMs !== undefined) return firedLater(later.firedMs, at, startMs)
  return readingsOf(device, metric, at.ms) ?? (named === undefined ? undefined : `${named} fired at no time`)
}

const firedLater = (firedMs: number, at: Moment, startMs: number): string =>
  `fired ${formatDuration(firedMs - at.ms)} later, at ${sinceStart(firedMs, startMs)}`

const isSameSubject = (a: SeenAlert, b: SeenAlert): boolean =>
  a.rule === b.rule && a.device === b.device && a.metric === b.metric && a.late === b.late

function nameOf({ rule, device, metric }: SeenAlert, alertname: string | undefined): string {
  return `${alertname === undefined ? `${rule} ` : ''}${metric === '' ? device : `${device}/${metric}`}`
}

function nameOfExpected({ labels, state, late }: ExpectedAlert): string {
  const { alertname, device, metric, ...rest } = labels
  const series = [device, metric].filter(name => name !== undefined).join('/')
  const more = Object.entries(rest).map(([name, value]) => `${name}=${JSON.stringify(value)}`)
  const words = [alertname, series === '' && more.length === 0 ? 'an alert' : series, ...more]
  const kind = late ? 'late' : state
  return [...words.filter(word => word !== undefined && word !== ''), `(${kind})`].join(' ')
}

function valueAndLimit({ value, threshold }: SeenAlert): string {
  return threshold === null ? `value ${shown(value)}` : `value ${shown(value)}, limit ${shown(threshold)}`
}

export function shown(value: Json): string {
  return typeof value === 'number' ? formatNumber(value) : JSON.stringify(value)
}

/** Numbers that differ by less than what a sum of fractions loses are the same. */
export function isSame(expected: Json, was: Json): boolean {
  if (typeof expected === 'number' && typeof was === 'number')
    return Math.abs(expected - was) <= 1e-9 * Math.max(1, Math.abs(expected), Math.abs(was))
  if (typeof expected !== 'object' || typeof was !== 'object' || expected === null || was === null)
    return expected === was
  const [left, right] = [Object.entries(expected), new Map(Object.entries(was))]
  return (
    Array.isArray(expected) === Array.isArray(was) &&
    left.length === right.size &&
    left.every(([key, value]) => right.has(key) && isSame(value, right.get(key) as Json))
  )
}
