/**
 * Which rules match a series, found without asking each rule: names that are written out are looked up, and each pattern
 * with a star is tried once however many rules say it. Pure.
 */
import { matchesPattern, type SeriesName } from '../match.ts'
import type { Match } from '../rule.ts'

export class RuleIndex<Item extends { readonly match: Match; readonly order: number }> {
  readonly #byDevice = new Patterns<Patterns<Item[]>>()

  constructor(items: readonly Item[]) {
    for (const item of items) {
      const { device, metric } = item.match
      this.#byDevice
        .at(device, () => new Patterns())
        .at(metric, () => [])
        .push(item)
    }
  }

  /** Those whose device and metric fit, in their order. Labels of devices are the caller's. */
  matching({ device, metric }: Omit<SeriesName, 'table'>): Item[] {
    const found: Item[] = []
    for (const byMetric of this.#byDevice.matching(device)) {
      for (const items of byMetric.matching(metric)) found.push(...items)
    }
    return found.toSorted((a, b) => a.order - b.order)
  }
}

type Starred<Value> = { readonly beginning: string; readonly value: Value }

class Patterns<Value> {
  readonly #plain = new Map<string, Value>()
  readonly #starred = new Map<string, Starred<Value>>()

  at(pattern: string, make: () => Value): Value {
    const known = this.#plain.get(pattern) ?? this.#starred.get(pattern)?.value
    if (known !== undefined) return known
    const value = make()
    if (pattern.includes('*')) this.#starred.set(pattern, { beginning: pattern.slice(0, pattern.indexOf('*')), value })
    else this.#plain.set(pattern, value)
    return value
  }

  matching(text: string): Value[] {
    const found: Value[] = []
    const plain = this.#plain.get(text)
    if (plain !== undefined) found.push(plain)
    for (const [pattern, { beginning, value }] of this.#starred) {
      // Most fail at their first letters; only the others are cut into pieces.
      if (text.startsWith(beginning) && (pattern === '*' || matchesPattern(pattern, text))) found.push(value)
    }
    return found
  }
}
