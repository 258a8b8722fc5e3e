/** What must hold for any readings, any rules, any portions and any crash. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import type { AlertRule, Condition, Limit, Moments, Per, Rule } from '../../rules/rule.ts'
import type { Value } from '../../runtime/reading.ts'
import { expression, Gateway, type Said, told } from './judging.ts'
import { ruleOf } from './rules.ts'

const literal = (value: number): Limit => ({ kind: 'literal', value })
const limits = (above: number, clear?: number, of?: string): Condition => ({
  kind: 'limits',
  of: of === undefined ? undefined : expression(of, 'number'),
  above: literal(above),
  below: undefined,
  clear: clear === undefined ? undefined : literal(clear),
})
const truth = (violated: string, clear?: string): Condition => ({
  kind: 'expression',
  violated: expression(violated),
  clear: clear === undefined ? undefined : expression(clear),
})

const conditions: readonly Condition[] = [
  limits(5),
  limits(5, 3),
  limits(4, 2, 'avg(1m)'),
  limits(4, undefined, 'value - last("b")'),
  limits(2, undefined, 'stddev(2m)'),
  truth('value > 5 && max(1m) > 7'),
  truth('value > avg(2m) + 2', 'value < avg(2m)'),
  truth('delta() > 4'),
  truth('last("d2", "a") > 6 || value > 8'),
  truth('age("b") > 90'),
  truth('count(1m) > 4'),
  { kind: 'absent', afterMs: 45_000 },
]
const moments: readonly (Moments | undefined)[] = [
  undefined,
  undefined,
  { kind: 'interval', everyMs: 15_000 },
  { kind: 'cron', cron: '*/2 * * * *', zone: 'UTC' },
]

const ruleSets: fc.Arbitrary<AlertRule[]> = fc
  .array(
    fc.record({
      condition: fc.constantFrom(...conditions),
      moments: fc.constantFrom(...moments),
      per: fc.constantFrom<Per>('series', 'series', 'device', 'all'),
      device: fc.constantFrom('*', '*', 'd1', 'd*'),
      metric: fc.constantFrom('*', 'a'),
      forMs: fc.constantFrom(0, 0, 20_000, 70_000),
      keepFiringForMs: fc.constantFrom(0, 30_000),
      latch: fc.boolean(),
      flapping: fc.constantFrom(undefined, { changes: 2, withinMs: 120_000 }),
    }),
    { minLength: 1, maxLength: 4 },
  )
  .map(made =>
    made.map(({ device, metric, condition, ...rest }, index) =>
      ruleOf({
        id: `R${index}`,
        match: { table: 'readings', device, metric, labels: {} },
        condition,
        ...rest,
        moments: condition.kind === 'absent' ? undefined : rest.moments,
      }),
    ),
  )

type Step = {
  readonly device: string
  readonly metric: string
  readonly value: Value
  readonly afterS: number
  readonly lagS: number | undefined
}

const anyLag: fc.Arbitrary<Step[]> = fc.array(
  fc.record({
    device: fc.constantFrom('d1', 'd2'),
    metric: fc.constantFrom('a', 'b'),
    value: fc.oneof(
      { weight: 10, arbitrary: fc.integer({ min: 0, max: 9 }) },
      { weight: 1, arbitrary: fc.constantFrom<Value>(true, 'text', { a: 1 }) },
    ),
    afterS: fc.oneof(
      { weight: 6, arbitrary: fc.integer({ min: 0, max: 20 }) },
      { weight: 1, arbitrary: fc.integer({ min: 20, max: 400 }) },
    ),
    // A clock that is ahead, one that was set to another century once, and one that was never set.
    lagS: fc.constantFrom(undefined, 0, 0, 1, 2, 5, 300, 3600, -30, -3600, -2e9, 1.7e9),
  }),
  { minLength: 1, maxLength: 50 },
)

/** From some reading on a device's clock is another one, for longer than it takes to believe that. */
const steps: fc.Arbitrary<Step[]> = fc.oneof(
  { weight: 3, arbitrary: anyLag },
  {
    weight: 1,
    arbitrary: fc
      .tuple(anyLag, fc.integer({ min: 0, max: 20 }), fc.constantFrom(0, 300, 3600))
      .map(([log, from, lagS]) =>
        log.map((step, index) => (index < from ? step : { ...step, lagS, afterS: step.afterS * 4 })),
      ),
  },
)

/** What happens between two readings: timers at fractions of the time, a commit, a crash. */
type Between = { readonly timers: readonly number[]; readonly commits: boolean; readonly crashes: boolean }
const betweens: fc.Arbitrary<Between[]> = fc.array(
  fc.record({
    timers: fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 2 }),
    commits: fc.boolean(),
    crashes: fc.oneof({ weight: 4, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
  }),
  { minLength: 1, maxLength: 12 },
)

const endS = 3_000

function fillLog(gateway: Gateway, log: readonly Step[]): number[] {
  let atS = 0
  return log.map(({ device, metric, value, afterS, lagS }) => {
    atS += afterS
    gateway.append(gateway.book.of(device, metric), value, atS, lagS === undefined ? undefined : atS - lagS)
    return atS
  })
}

function straight(rules: readonly Rule[], log: readonly Step[], activeMax: number): Gateway {
  const gateway = new Gateway(rules, undefined, activeMax)
  const times = fillLog(gateway, log)
  gateway.read(log.length)
  gateway.advance((times.at(-1) ?? 0) + endS)
  return gateway
}

function interrupted(
  rules: readonly Rule[],
  log: readonly Step[],
  between: readonly Between[],
  activeMax: number,
): Gateway {
  const gateway = new Gateway(rules, undefined, activeMax)
  const times = fillLog(gateway, log)
  let crashes = 0
  while (gateway.position < log.length) {
    const { timers, commits, crashes: isCrash } = between[(gateway.position + crashes) % between.length] as Between
    const toS = times[gateway.position] ?? 0
    const fromS = times[gateway.position - 1] ?? 0
    for (const fraction of timers.toSorted((a, b) => a - b)) gateway.advance(fromS + (toS - fromS) * fraction)
    if (commits) gateway.commit()
    if (isCrash && crashes++ < 20) gateway.crash(toS)
    else gateway.read(1)
  }
  gateway.advance((times.at(-1) ?? 0) + endS)
  return gateway
}

function story(
  rules: readonly AlertRule[],
  log: readonly Step[],
  between: readonly Between[],
  actual: readonly Said[],
  expected: readonly Said[],
): string {
  const rule = ({ condition, ...of }: AlertRule): unknown => {
    const texts = Object.entries(condition).map(([key, value]) => [key, (value as { text?: string })?.text ?? value])
    const { per, moments, match, forMs, keepFiringForMs, latch, flapping } = of
    return { per, moments, device: match.device, metric: match.metric, forMs, keepFiringForMs, latch, flapping, texts }
  }
  const parts = [rules.map(rule), log, between, told(actual), told(expected)]
  return parts.map(part => part.map(line => JSON.stringify(line)).join('\n')).join('\n\n')
}

const verdictsOf = (said: readonly Said[]): unknown[] =>
  said.map(({ verdict, device, metric }) => ({ device, metric, ...verdict }))

test('timers, portions, commits and crashes anywhere change no verdict and no state', () => {
  fc.assert(
    fc.property(ruleSets, steps, betweens, fc.constantFrom(1, 2, 100), (rules, log, between, activeMax) => {
      const expected = straight(rules, log, activeMax)
      const actual = interrupted(rules, log, between, activeMax)
      const [one, other] = [actual, expected].map(({ said }) => JSON.stringify(verdictsOf(said)))
      assert.equal(one === other, true, story(rules, log, between, actual.said, expected.said))
      const counts = [actual, expected].map(({ judge }) => JSON.stringify(judge.counts()))
      assert.equal(counts[0], counts[1], story(rules, log, between, actual.said, expected.said))
    }),
    { numRuns: 400, includeErrorInReport: true },
  )
})

test('of each subject an alert begins, goes on and ends in order, late ones in their own lane; times never run backwards', () => {
  const may: Readonly<Record<string, readonly string[]>> = {
    none: ['fired'],
    fired: ['latched', 'resolved'],
    latched: ['refired', 'resolved'],
    refired: ['latched', 'resolved'],
    resolved: ['fired'],
  }
  fc.assert(
    fc.property(ruleSets, steps, (rules, log) => {
      const last = new Map<string, { kind: string; atMs: number; firedMs: number }>()
      for (const { verdict, device, metric } of straight(rules, log, 100).said) {
        const lane = [verdict.rule, device, metric, verdict.late].join()
        const before = last.get(lane)
        assert.ok(may[before?.kind ?? 'none']?.includes(verdict.kind), `${before?.kind} then ${verdict.kind}`)
        if (before && !verdict.late) assert.ok(verdict.atMs >= before.atMs)
        if (verdict.kind === 'fired' && before && !verdict.late) assert.ok(verdict.firedMs > before.firedMs)
        if (verdict.kind !== 'fired') assert.equal(verdict.firedMs, before?.firedMs)
        assert.ok(verdict.atMs >= verdict.firedMs)
        last.set(lane, verdict)
      }
    }),
    { numRuns: 200 },
  )
})

test('what is saved stays small, whatever the readings are', () => {
  const wild = fc.array(
    fc.record({
      device: fc.constantFrom('d1', 'd2'),
      metric: fc.constantFrom('a', 'b'),
      value: fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.string(), fc.boolean()),
      afterS: fc.integer({ min: -500, max: 500 }),
      lagS: fc.constantFrom(undefined, -1e9, -3600, 0, 1, 70, 3600, 1e9),
    }),
    { maxLength: 80 },
  )
  fc.assert(
    fc.property(ruleSets, wild, (rules, log) => {
      const gateway = straight(rules, log, 2)
      gateway.commit()
      for (const [key, value] of gateway.saved) assert.ok(JSON.stringify(value).length < 1_500, key)
      assert.ok(gateway.saved.size <= rules.length * 4 + 5)
    }),
    { numRuns: 200 },
  )
})
