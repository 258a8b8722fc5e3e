/** The short way that most readings take through the judge leads where the long one does. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type RuleState, startState, step } from '../../rules/judge/evaluate.ts'
import { Judge } from '../../rules/judge/judge.ts'
import { limitKeys, limitsEvent, type LimitsCondition } from '../../rules/judge/threshold.ts'
import type { Verdict } from '../../rules/judge/verdict.ts'
import type { AlertRule, Limit } from '../../rules/rule.ts'
import type { Value } from '../../runtime/reading.ts'
import { ruleOf } from './rules.ts'

const series = { table: 'readings', origin: 'gw-1', device: 'freezer-1', metric: 'temperature', unit: undefined }
const mayFire = (): boolean => true

const row = (key: string, fallback: number | undefined): Limit => {
  return { kind: 'row', table: 'thresholds', key, field: undefined, default: fallback }
}
const literal = (value: number): Limit => ({ kind: 'literal', value })
const rules: readonly AlertRule[] = [
  { above: literal(5) },
  { above: literal(5), clear: literal(3) },
  { above: undefined, below: literal(2) },
  { above: literal(7), below: literal(-2), forMs: 2_000 },
  { above: row('{device}/{metric}', 6), keepFiringForMs: 2_000 },
  { above: row('limit', undefined), clear: row('clear', undefined) },
  { above: row('limit', 4), below: row('low', undefined) },
].map((change, index) => ruleOf({ id: `R${index}`, fingerprint: `${index}`, ...change }))

type Happening =
  | { readonly kind: 'reading'; readonly value: Value; readonly afterMs: number }
  | { readonly kind: 'row'; readonly key: string; readonly value: number | string | undefined }

const happening: fc.Arbitrary<Happening> = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('reading' as const),
      value: fc.oneof(fc.integer({ min: -4, max: 9 }), fc.boolean(), fc.constant('none'), fc.constant(-0)),
      afterMs: fc.integer({ min: 1, max: 1_500 }),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      kind: fc.constant('row' as const),
      key: fc.constantFrom('freezer-1/temperature', 'limit', 'clear', 'low'),
      value: fc.oneof(fc.integer({ min: -2, max: 8 }), fc.constant('none'), fc.constant(undefined)),
    }),
  },
)

/** Every reading judged in full by every rule. */
function inFull(happenings: readonly Happening[]): Verdict[] {
  const rows = new Map<string, { value: number | string; stamp: number }>()
  const states = new Map<AlertRule, RuleState>()
  const said: Verdict[] = []
  let atMs = 0
  happenings.forEach((one, stamp) => {
    if (one.kind === 'row') {
      change(rows, one, stamp)
      return
    }
    atMs += one.afterMs
    const outcomes = rules.map(rule => {
      const condition = rule.condition as LimitsCondition
      const event = limitsEvent(condition, limitKeys(condition, series), one.value, (_, key) => rows.get(key))
      const { state, verdicts } = step(states.get(rule) ?? startState, event, {
        rule,
        atMs,
        timeMs: atMs,
        late: false,
        mayFire,
      })
      states.set(rule, state)
      return verdicts
    })
    said.push(...outcomes.flat())
  })
  return said
}

function change(rows: Map<string, unknown>, { key, value }: Happening & { kind: 'row' }, stamp: number): void {
  if (value === undefined) rows.delete(key)
  else rows.set(key, { value, stamp })
}

function judged(happenings: readonly Happening[], knowsVersions: boolean): Verdict[] {
  const rows = new Map<string, { value: number | string; stamp: number }>()
  let version = 0
  const judge = new Judge(rules, {
    origin: 'gw-1',
    lookup: (_, key) => rows.get(key),
    ...(knowsVersions && { rowsVersion: () => version }),
    saved: () => undefined,
    labelsOf: () => ({}),
    mayFire,
  })
  let atMs = 0
  return happenings.flatMap((one, stamp) => {
    if (one.kind === 'row') {
      version++
      change(rows, one, stamp)
      return []
    }
    atMs += one.afterMs
    const reading = { series, value: one.value, arrivalMs: atMs, deviceTimeMs: atMs, seq: stamp }
    return judge.judge(reading).map(({ verdict }) => verdict)
  })
}

const byRule = (verdicts: readonly Verdict[]): unknown =>
  rules.map(({ id }) => verdicts.filter(({ rule }) => rule === id))

test('whatever comes, and whenever rows change, it says what judging each reading in full says', () => {
  fc.assert(
    fc.property(fc.array(happening, { maxLength: 60 }), fc.boolean(), (happenings, knowsVersions) => {
      assert.deepEqual(byRule(judged(happenings, knowsVersions)), byRule(inFull(happenings)))
    }),
  )
})
