/**
 * What a replay has come to, gathered from verdicts: each alert once, with its end if it had one, and sums for each rule.
 * Pure. At most `alertsMax` alerts are kept one by one; beyond that they are counted [I6].
 */
import type { Recorded } from '../../rules/judge/judge.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { LimitSource } from '../../rules/judge/verdict.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Value } from '../reading.ts'

export type TriedAlert = {
  readonly rule: string
  readonly severity: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly sinceMs: number
  readonly firedMs: number
  /** Undefined while it still fires at the end of the story. */
  readonly endedMs: number | undefined
  readonly side: 'above' | 'below' | null
  readonly value: Value | null
  readonly threshold: number | null
  readonly source: LimitSource | null
  readonly endValue: Value | null
  /** Found in readings that came late: told nobody. */
  readonly late: boolean
  readonly flapping: boolean
  /** It would have waited for somebody to acknowledge it; here somebody does so at once. */
  readonly latched: boolean
}

export type TriedRule = {
  readonly rule: string
  readonly alerts: number
  readonly late: number
  readonly firingMs: number
  readonly longestMs: number
  /** Series, devices or groups that it fired for. */
  readonly subjects: number
}

export type TriedStory = {
  /** In the order in which they fired. */
  readonly alerts: readonly TriedAlert[]
  readonly rules: readonly TriedRule[]
  readonly recordings: readonly TriedRecording[]
  /** Alerts that were only counted. */
  readonly left: number
}

export type TriedRecording = { readonly rule: string; readonly readings: number; readonly last: Value | null }

/** More than anybody reads in a table; a rule that fires more often than this is told by its sum. */
export const alertsMax = 10_000

type Sum = { alerts: number; late: number; firingMs: number; longestMs: number; readonly subjects: Set<string> }

export class Tried {
  readonly #sums = new Map<string, Sum>()
  readonly #fromMs: number
  readonly #standing = new Map<string, TriedAlert>()
  readonly #ended: TriedAlert[] = []
  readonly #recordings = new Map<string, { readings: number; last: Value | null }>()
  #left = 0

  /** What was over before `fromMs` is no part of the story. */
  constructor(rules: readonly Rule[], fromMs: number) {
    this.#fromMs = fromMs
    for (const rule of rules) {
      if (rule.kind === 'alert') {
        this.#sums.set(rule.id, { alerts: 0, late: 0, firingMs: 0, longestMs: 0, subjects: new Set() })
      } else this.#recordings.set(rule.id, { readings: 0, last: null })
    }
  }

  /** `atMs` is how far the story is: what came late is about an earlier time. */
  take({ rule, subject, verdict }: Judgement, atMs: number): void {
    const key = [rule.id, subject.origin, subject.device, subject.metric, verdict.late, verdict.firedMs].join('\0')
    const known = this.#standing.get(key)
    switch (verdict.kind) {
      case 'fired':
      case 'refired':
        this.#standing.set(key, {
          rule: rule.id,
          severity: rule.severity,
          origin: subject.origin,
          device: subject.device,
          metric: subject.metric,
          unit: subject.unit,
          sinceMs: verdict.sinceMs,
          firedMs: verdict.firedMs,
          endedMs: undefined,
          side: verdict.side,
          value: verdict.firedValue,
          threshold: verdict.threshold,
          source: verdict.source,
          endValue: null,
          late: verdict.late,
          flapping: verdict.flapping,
          latched: false,
        })
        return
      case 'latched':
        if (known) this.#standing.set(key, { ...known, endedMs: verdict.atMs, endValue: verdict.value, latched: true })
        return
      case 'resolved':
        if (!known) return
        this.#standing.delete(key)
        // A sensor that had not been there before: it was not silent, it was new.
        if (rule.condition.kind === 'absent' && known.value === null) return
        if ((verdict.late ? atMs : verdict.atMs) < this.#fromMs) return
        this.#end({
          ...known,
          endedMs: known.endedMs ?? verdict.atMs,
          endValue: known.endValue ?? verdict.value,
          flapping: known.flapping || verdict.flapping,
        })
        return
      case 'acknowledged':
        return
    }
  }

  record({ rule, value, atMs }: Recorded): void {
    const recording = this.#recordings.get(rule.id)
    if (!recording || atMs < this.#fromMs) return
    recording.readings++
    recording.last = value
  }

  /** The end of the story: what fires now goes on firing. */
  close(toMs: number): TriedStory {
    for (const alert of this.#standing.values()) this.#count(alert, alert.endedMs ?? toMs)
    const alerts = [...this.#ended, ...this.#standing.values()].toSorted((a, b) => a.firedMs - b.firedMs)
    const rules = [...this.#sums].map(([rule, { subjects, ...sum }]) => ({ rule, ...sum, subjects: subjects.size }))
    const recordings = [...this.#recordings].map(([rule, sum]) => ({ rule, ...sum }))
    return { alerts, rules, recordings, left: this.#left }
  }

  #end(alert: TriedAlert): void {
    this.#count(alert, alert.endedMs ?? 0)
    if (this.#ended.length < alertsMax) this.#ended.push(alert)
    else this.#left++
  }

  #count({ rule, origin, device, metric, firedMs, late }: TriedAlert, endMs: number): void {
    const sum = this.#sums.get(rule)
    if (!sum) return
    sum.subjects.add([origin, device, metric].join('\0'))
    if (late) {
      sum.late++
      return
    }
    const lastedMs = Math.max(0, endMs - Math.max(firedMs, this.#fromMs))
    sum.alerts++
    sum.firingMs += lastedMs
    sum.longestMs = Math.max(sum.longestMs, lastedMs)
  }
}
