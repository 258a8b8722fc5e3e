/**
 * A factory for the bench of rules: 1,000 devices on ten lines, the rules that people write for them, and what the devices
 * send. Nothing here is random, so that every run judges the same readings.
 *
 * - 10 rules: for every device. Each reading meets 10.
 * - 300 rules: 30 for each line. Each reading meets 30.
 * - 8,000 rules: 8 for each device by its name. Each reading meets 8.
 *
 * A value stands above the limits for a tenth of the time, in stretches: rules have something to say, and mostly do not.
 */
import { parseRules } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import { stampAt } from '../../runtime/stamp.ts'
import { type ReadingEntry, type Series, asSeq } from '../../runtime/store/types.ts'

export const deviceCount = 1_000
const lines = 10
export const startMs = Date.UTC(2026, 4, 1)
/** Readings of one device until its values come again. */
const period = 200

export type RuleCount = 10 | 300 | 8000
export const ruleCounts: readonly RuleCount[] = [10, 300, 8000]
/** How many of the rules meet each reading. */
export const meets: Readonly<Record<RuleCount, number>> = { 10: 10, 300: 30, 8000: 8 }

export const deviceName = (device: number): string => `line-${device % lines}-device-${String(device).padStart(3, '0')}`

/** Which devices the rule with this index is for. */
export function deviceOf(index: number, count: RuleCount): string {
  if (count === 10) return '*'
  return count === 300 ? `line-${index % lines}-*` : deviceName(index % deviceCount)
}

/** Rules have limits of their own, so that no two of them are the same question. */
export const limitOf = (index: number): number => 26 + (index % 40) / 100

export type LimitKind = 'literal' | 'row'

export function rulesOf(count: RuleCount, limit: LimitKind, metric = 'temperature'): readonly Rule[] {
  return readRules(
    Array.from({ length: count }, (_, index) => {
      const above = limit === 'literal' ? String(limitOf(index)) : '{ key: "{device}/{metric}" }'
      return `{ alert: Hot${index}, match: { device: "${deviceOf(index, count)}", metric: ${metric} }, above: ${above}, clear: 25.5 }`
    }),
  )
}

/** A rule file may be 256 KB large. */
const rulesPerFile = 500

/** The same way as a gateway reads them: out of the texts of files. */
export function readRules(entries: readonly string[]): readonly Rule[] {
  const files = Array.from({ length: Math.ceil(entries.length / rulesPerFile) }, (_, file) => {
    const rules = entries.slice(file * rulesPerFile, (file + 1) * rulesPerFile).map(entry => `      - ${entry}`)
    return { file: `${file}.yaml`, text: ['groups:', `  - name: bench${file}`, '    rules:', ...rules, ''].join('\n') }
  })
  const parsed = parseRules(files)
  if (!parsed.ok) throw new Error(parsed.problems[0]?.message)
  return parsed.rules
}

/** Rows as the table `thresholds` would hold them: one for each device. */
export function thresholds(): ReadonlyMap<string, { readonly value: number; readonly stamp: number }> {
  return new Map(
    Array.from({ length: deviceCount }, (_, device) => [
      `${deviceName(device)}/temperature`,
      { value: limitOf(device), stamp: stampAt(startMs) },
    ]),
  )
}

/** The value of the `n`th reading of a device: a triangle from 10 to 27.8, over 26 for a tenth of its period. */
export function valueAt(device: number, n: number): number {
  const place = (n + device * 7) % period
  const height = 1 - Math.abs(place - period / 2) / (period / 2)
  return 10 + Math.round(height * 1_778) / 100
}

export type Fleet = {
  readonly series: readonly Series[]
  /** The next readings, one of each device in turn, a second for each turn. */
  next(count: number): readonly ReadingEntry[]
}

export function fleet(metric = 'temperature'): Fleet {
  const series = Array.from({ length: deviceCount }, (_, device): Series => {
    return { id: device + 1, table: 'readings', origin: 'gw-1', device: deviceName(device), metric, unit: '°C' }
  })
  let seq = 0
  return {
    series,
    next: count =>
      Array.from({ length: count }, (): ReadingEntry => {
        const device = seq % deviceCount
        const n = Math.floor(seq / deviceCount)
        const arrivalMs = startMs + n * 1_000 + device
        seq++
        return {
          kind: 'reading',
          seq: asSeq(seq),
          stamp: stampAt(arrivalMs),
          origin: 'gw-1',
          via: '',
          joined: false,
          series: series[device] as Series,
          value: valueAt(device, n),
          arrivalMs,
          deviceTimeMs: undefined,
          id: undefined,
          boot: undefined,
        }
      }),
  }
}
