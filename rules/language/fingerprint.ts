/**
 * One short text for the meaning of a rule: state that was kept under another one belongs to another rule, and starts fresh.
 * Pure.
 *
 * Promises: whatever changes a verdict changes it; labels, annotations, snippets and actions do not. A key that is left at
 * its default adds nothing, so that a rule keeps its fingerprint when the language learns another key: an update of the
 * program must not restart a hold. What older versions wrote is held by literals in the tests.
 */
import type { AlertRule, Condition, Match, Moments, Per } from '../rule.ts'
import { lateAfterMsDefault } from '../rule.ts'

export type Meaning = {
  readonly match: Match
  readonly per: Per
  readonly moments: Moments | undefined
  readonly lateAfterMs: number
  /** Of hours and weekdays in expressions. */
  readonly zone: string
  readonly verdict:
    | Pick<AlertRule, 'kind' | 'condition' | 'forMs' | 'keepFiringForMs' | 'latch' | 'flapping'>
    | { readonly kind: 'record'; readonly text: string; readonly metric: string; readonly table: string }
}

export function fingerprintOf({ match, per, moments, lateAfterMs, zone, verdict }: Meaning): string {
  const { table, device, metric, labels } = match
  const condition = verdict.kind === 'alert' ? conditionOf(verdict.condition) : {}
  const record =
    verdict.kind === 'record' ? { expr: verdict.text.trim(), metric: verdict.metric, into: verdict.table } : undefined
  const isTimed = record !== undefined || 'expr' in condition
  const alert = verdict.kind === 'alert' ? verdict : undefined
  // JSON leaves out what is undefined. The first seven keys are those of the first version: their order is kept too.
  return hash(
    JSON.stringify({
      match: { table, device, metric, labels: Object.keys(labels).length === 0 ? undefined : sorted(labels) },
      ...condition,
      forMs: alert?.forMs,
      keepFiringForMs: alert?.keepFiringForMs,
      per: per === 'series' ? undefined : per,
      moments,
      lateAfterMs: lateAfterMs === lateAfterMsDefault ? undefined : lateAfterMs,
      zone: isTimed ? zone : undefined,
      latch: alert?.latch === true ? true : undefined,
      flapping: alert?.flapping,
      record,
    }),
  )
}

function conditionOf(condition: Condition): Readonly<Record<string, unknown>> {
  switch (condition.kind) {
    case 'limits': {
      const { above, below, clear, of } = condition
      return of === undefined ? { above, below, clear } : { above, below, clear, expr: of.text.trim() }
    }
    case 'expression':
      return { expr: condition.violated.text.trim(), clear: condition.clear?.text.trim() }
    case 'absent':
      return { absentMs: condition.afterMs }
  }
}

function sorted(labels: Readonly<Record<string, string>>): [string, string][] {
  return Object.entries(labels).toSorted(([a], [b]) => (a < b ? -1 : 1))
}

/** Two FNV-1a hashes of 32 bits, as 16 hex digits: no secret, only "is it still the same rule". */
function hash(text: string): string {
  let [a, b] = [0x811c9dc5, 0xcbf29ce4]
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ (code + index), 0x01000193)
  }
  return [a, b].map(hashed => (hashed >>> 0).toString(16).padStart(8, '0')).join('')
}
