/**
 * What alerting tells about the rules in force: each in plain words, how many series it watches, and how many of its
 * alerts are in which state. Counted when somebody asks: nothing is kept for it.
 */
import { explainRule } from '../../rules/language/explain.ts'
import { limitNumber } from '../../rules/judge/threshold.ts'
import { fillPlaceholders, matchesPattern, rulesFor } from '../../rules/match.ts'
import type { AlertRule, Limit, Rule } from '../../rules/rule.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Series } from '../store/types.ts'
import { DeviceLabels } from './device-labels.ts'

export type StateCounts = { readonly pending: number; readonly firing: number; readonly latched: number }

/** How many alerts of each rule are in which state. */
export type Counts = ReadonlyMap<string, StateCounts>

const none: StateCounts = { pending: 0, firing: 0, latched: 0 }

/** Of a rule with thousands of series the limits of so many are told. */
const limitsToldMax = 50

export class RulesTold {
  readonly zone: string
  readonly #store: Store
  readonly #rules: () => readonly Rule[]
  readonly #counts: () => Counts
  readonly #labels: DeviceLabels

  constructor(
    store: Store,
    rules: () => readonly Rule[],
    counts: () => Counts,
    zone: string,
    labels: DeviceLabels = new DeviceLabels(store),
  ) {
    this.zone = zone
    this.#store = store
    this.#labels = labels
    this.#rules = rules
    this.#counts = counts
  }

  list() {
    const counts = this.#counts()
    return this.#rules().map(rule => this.#told(rule, counts))
  }

  detail(name: string) {
    const rule = this.#rules().find(({ id }) => id === name)
    if (rule === undefined) return undefined
    return {
      ...this.#told(rule, this.#counts()),
      summary: rule.kind === 'alert' ? (rule.annotations['summary'] ?? null) : null,
      limits:
        rule.kind === 'alert'
          ? this.#seriesOf(rule)
              .slice(0, limitsToldMax)
              .flatMap(series => this.#limitsOf(rule, series))
          : [],
    }
  }

  #told(rule: Rule, counts: Counts) {
    const { watches, fires, ends, also } = explainRule(rule)
    return {
      name: rule.id,
      group: rule.group,
      kind: rule.kind,
      file: rule.file,
      severity: rule.kind === 'alert' ? rule.severity : null,
      watches,
      fires,
      ends: ends ?? null,
      also,
      series: this.#seriesOf(rule).length,
      ...(counts.get(rule.id) ?? none),
    }
  }

  #seriesOf(rule: Rule): readonly Series[] {
    if (this.#store.tables.get(rule.match.table)?.kind !== 'series') return []
    const fitting = [...this.#store.series(rule.match.table)].filter(
      series => rulesFor([rule], series).length > 0 && this.#hasLabels(rule, series.device),
    )
    // A device that names its unit in some of its readings only is stored as two series, and judged as one.
    const named = new Map(fitting.map(series => [[series.origin, series.device, series.metric].join('\0'), series]))
    return [...named.values()]
  }

  #hasLabels({ match }: Rule, device: string): boolean {
    const wanted = Object.entries(match.labels)
    if (wanted.length === 0) return true
    const labels = this.#labels.of(device)
    return wanted.every(([name, pattern]) => Object.hasOwn(labels, name) && matchesPattern(pattern, labels[name] ?? ''))
  }

  #limitsOf({ condition }: AlertRule, { device, metric }: Series) {
    if (condition.kind !== 'limits') return []
    return (['above', 'below', 'clear'] as const).flatMap(side => {
      const limit = condition[side]
      return limit === undefined ? [] : [{ device, metric, side, ...this.#limitNow(limit, { device, metric }) }]
    })
  }

  #limitNow(limit: Limit, about: { device: string; metric: string }) {
    if (limit.kind === 'literal') return { value: limit.value, source: 'literal', missing: null }
    const key = fillPlaceholders(limit.key, about)
    const row = this.#store.tables.has(limit.table) ? this.#store.latest(limit.table, key) : undefined
    const ofRow = limitNumber({ ...limit, default: undefined }, key, () => row)
    if (!Number.isNaN(ofRow)) return { value: ofRow, source: `${limit.table}/${key}`, missing: null }
    const missing: 'row' | 'number' = row === undefined ? 'row' : 'number'
    return { value: limit.default ?? null, source: 'default', missing }
  }
}

/** Counts out of the states as they are saved: at most some seconds old. */
export function savedCounts(states: ReadonlyMap<string, Json>): Counts {
  const counts = new Map<string, { pending: number; firing: number; latched: number }>()
  for (const [key, value] of states) {
    const kind = (value as { readonly state?: { readonly kind?: string } } | null)?.state?.kind
    const state = kind === 'clearing' ? 'firing' : kind === 'returning' ? 'latched' : kind
    if (state !== 'pending' && state !== 'firing' && state !== 'latched') continue
    const rule = key.slice(0, key.indexOf('\0'))
    const of = counts.get(rule) ?? { ...none }
    of[state]++
    counts.set(rule, of)
  }
  return counts
}
