/**
 * Silences: rows of the table `silences`, each of which keeps quiet about the alerts that it matches for a time. Pure.
 *
 *   { match: { rule: "Warm*", device: "pump-*", metric: "*", labels: { site: "lyon" } },
 *     from_ms, until_ms, by, comment }
 *
 * Whoever may write the table may silence: a command, or the cloud. So a row is read with care: one that has no end, or
 * a matcher that nobody knows, silences nothing, for an alarm that is off by mistake is worse than one too many.
 */
import { nearestName } from '../../runtime/document.ts'
import type { Json } from '../../runtime/reading.ts'
import { matchesPattern } from '../match.ts'
import type { AlertRow } from './alert.ts'

/** Patterns in which `*` stands for any run of characters; all of them must fit. */
export type SilenceMatch = {
  readonly rule: string
  readonly device: string
  readonly metric: string
  readonly labels: Readonly<Record<string, string>>
}

export type Silence = {
  /** The key of its row. */
  readonly id: string
  readonly match: SilenceMatch
  /** In force from the first moment on, and no longer at the second. */
  readonly fromMs: number
  readonly untilMs: number
  readonly by: string
  readonly comment: string
}

/** What of an alert a silence looks at. */
export type Silenceable = Pick<AlertRow, 'rule' | 'device' | 'metric' | 'severity' | 'labels' | 'device_labels'>

/** The silence that covers an alert at a moment; of several the one that lasts longest. */
export function silenceOver(silences: Iterable<Silence>, alert: Silenceable, nowMs: number): Silence | undefined {
  let found: Silence | undefined
  for (const silence of silences) {
    if (!isInForce(silence, nowMs) || !covers(silence.match, alert)) continue
    const isLonger = !found || silence.untilMs > found.untilMs
    // Of equals the first by id: everybody who asks must get one answer.
    if (isLonger || (silence.untilMs === found?.untilMs && silence.id < found.id)) found = silence
  }
  return found
}

export function isInForce({ fromMs, untilMs }: Silence, nowMs: number): boolean {
  return nowMs >= fromMs && nowMs < untilMs
}

/** The next moment at which a silence begins or ends; undefined if none will. */
export function nextEdgeMs(silences: Iterable<Silence>, nowMs: number): number | undefined {
  let next: number | undefined
  for (const { fromMs, untilMs } of silences) {
    for (const edge of [fromMs, untilMs]) if (edge > nowMs && edge < (next ?? Infinity)) next = edge
  }
  return next
}

/** Every label that an alert can be chosen by: those of its rule win over those of its device. */
export function labelsOf({ rule, device, metric, severity, labels, device_labels }: Silenceable) {
  return { ...device_labels, ...labels, alertname: rule, device, metric, severity } as Readonly<Record<string, string>>
}

function covers({ rule, device, metric, labels }: SilenceMatch, alert: Silenceable): boolean {
  if (!matchesPattern(rule, alert.rule) || !matchesPattern(device, alert.device)) return false
  if (!matchesPattern(metric, alert.metric)) return false
  const wanted = Object.entries(labels)
  if (wanted.length === 0) return true
  const known = labelsOf(alert)
  return wanted.every(([name, pattern]) => Object.hasOwn(known, name) && matchesPattern(pattern, known[name] ?? ''))
}

const matchers = ['rule', 'device', 'metric', 'labels']

/** A row of the table as a silence, or half a sentence about why it is none. */
export function readSilence(id: string, value: Json): Silence | string {
  const row = fieldsOf(value)
  if (row === undefined) return 'the row is no object'
  const untilMs = row['until_ms']
  if (typeof untilMs !== 'number') return 'until_ms, its end in milliseconds since 1970, is missing'
  const match = fieldsOf(row['match'])
  if (match === undefined) return 'match is missing; {} matches every alert'
  const unknown = Object.keys(match).find(name => !matchers.includes(name))
  if (unknown !== undefined) {
    const nearest = nearestName(unknown, matchers)
    return `match has no "${unknown}"${nearest ? `; did you mean "${nearest}"?` : `: it has ${matchers.join(', ')}`}`
  }
  const labels = match['labels'] === undefined ? {} : fieldsOf(match['labels'])
  const texts = ['rule', 'device', 'metric'].map(name => match[name] ?? '*')
  if (!labels || ![...texts, ...Object.values(labels)].every(text => typeof text === 'string')) {
    return 'what match holds must be texts, and labels a map of texts'
  }
  const [rule = '*', device = '*', metric = '*'] = texts as readonly string[]
  const { from_ms: fromMs, by, comment } = row
  return {
    id,
    match: { rule, device, metric, labels: labels as Readonly<Record<string, string>> },
    fromMs: typeof fromMs === 'number' ? fromMs : 0,
    untilMs,
    by: typeof by === 'string' ? by : '',
    comment: typeof comment === 'string' ? comment : '',
  }
}

function fieldsOf(value: Json | undefined): Readonly<Record<string, Json>> | undefined {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined
  return value as Readonly<Record<string, Json>>
}
