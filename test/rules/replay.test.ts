/** What must hold for any readings, any rule and any restart. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { dueMs, startState, type RuleState } from '../../rules/judge/evaluate.ts'
import type { Lookup } from '../../rules/judge/threshold.ts'
import type { Verdict } from '../../rules/judge/verdict.ts'
import type { Limit, AlertRule } from '../../rules/rule.ts'
import type { Json } from '../../runtime/reading.ts'
import { advance, type Observation, ruleOf, step } from './rules.ts'

type Moment = { readonly observation: Observation; readonly row: Json | undefined; readonly stamp: number }

const numbers = fc.constantFrom(-0, 0, 1, 2, 2.5, 3, 4, 5, 6, 7, 7.5, 8, 8.5, 9)
const limits: fc.Arbitrary<Limit> = fc.oneof(
  numbers.map((value): Limit => ({ kind: 'literal', value })),
  fc
    .option(numbers, { nil: undefined })
    .map((fallback): Limit => ({ kind: 'row', table: 't', key: '{device}', field: 'max', default: fallback })),
)
const holds = fc.constantFrom(0, 1, 10, 35, 100)
const rules: fc.Arbitrary<AlertRule> = fc
  .record({
    sides: fc.constantFrom('above', 'below', 'both'),
    above: limits,
    below: limits,
    clear: fc.option(limits, { nil: undefined }),
    forMs: holds,
    keepFiringForMs: holds,
  })
  .map(({ sides, above, below, clear, forMs, keepFiringForMs }) =>
    ruleOf({
      above: sides === 'below' ? undefined : above,
      below: sides === 'above' ? undefined : below,
      clear: sides === 'both' ? undefined : clear,
      forMs,
      keepFiringForMs,
    }),
  )
const values = fc.oneof(
  { weight: 8, arbitrary: numbers },
  { weight: 1, arbitrary: fc.constantFrom(true, false, 'text', { a: 1 }) },
)
const rowValues = fc.option(
  fc.oneof(
    numbers.map(max => ({ max })),
    fc.constant('no limit'),
  ),
  { nil: undefined },
)

/** Readings with steps of time from `stepMin`: a negative one lets the clock run backwards. */
function moments(stepMin: number): fc.Arbitrary<Moment[]> {
  const one = fc.record({ stepMs: fc.integer({ min: stepMin, max: 40 }), value: values, row: rowValues })
  return fc.array(one, { maxLength: 60 }).map(steps => {
    let atMs = 1_000_000
    return steps.map(({ stepMs, value, row }, stamp) => {
      atMs += stepMs
      return { observation: { device: 'd', metric: 'm', value, atMs, timeMs: undefined }, row, stamp }
    })
  })
}

function lookupOf({ row, stamp }: Moment): Lookup {
  return () => (row === undefined ? undefined : { value: row, stamp })
}

function play(
  rule: AlertRule,
  log: readonly Moment[],
  between: (state: RuleState, index: number) => { state: RuleState; verdicts: readonly Verdict[] },
): { state: RuleState; verdicts: Verdict[] } {
  let state = startState
  const verdicts: Verdict[] = []
  log.forEach((moment, index) => {
    const first = between(state, index)
    const second = step(rule, first.state, moment.observation, lookupOf(moment))
    verdicts.push(...first.verdicts, ...second.verdicts)
    state = second.state
  })
  return { state, verdicts }
}

const straight = (rule: AlertRule, log: readonly Moment[]): ReturnType<typeof play> =>
  play(rule, log, state => ({ state, verdicts: [] }))

test('fired and resolved alternate, times never run backwards and no two alerts begin together', () => {
  fc.assert(
    fc.property(rules, moments(-30), (rule, log) => {
      const { verdicts } = straight(rule, log)
      verdicts.forEach((verdict, index) => {
        const before = verdicts[index - 1]
        assert.equal(verdict.kind, index % 2 === 0 ? 'fired' : 'resolved')
        assert.ok(verdict.atMs >= (before?.atMs ?? 0))
        if (verdict.kind === 'fired') {
          assert.equal(verdict.atMs, verdict.sinceMs + rule.forMs)
          assert.equal(verdict.firedMs, verdict.atMs)
          assert.ok(before === undefined || verdict.firedMs > before.firedMs)
        } else {
          assert.equal(verdict.firedMs, before?.firedMs)
          assert.ok(verdict.atMs >= verdict.firedMs + rule.keepFiringForMs)
        }
      })
    }),
    { numRuns: 1000 },
  )
})

test('a restart anywhere, with the state through JSON, changes no verdict', () => {
  fc.assert(
    fc.property(
      rules,
      moments(-30),
      fc.array(fc.boolean(), { minLength: 60, maxLength: 60 }),
      (rule, log, restarts) => {
        const restarted = play(rule, log, (state, index) => ({
          state: restarts[index] ? (JSON.parse(JSON.stringify(state)) as RuleState) : state,
          verdicts: [],
        }))
        assert.deepEqual(restarted, straight(rule, log))
      },
    ),
    { numRuns: 1000 },
  )
})

test('timers anywhere between readings change no verdict', () => {
  const fractions = fc.array(fc.array(fc.double({ min: 0, max: 1, noNaN: true }), { maxLength: 3 }), {
    minLength: 60,
    maxLength: 60,
  })
  fc.assert(
    fc.property(rules, moments(0), fractions, (rule, log, timers) => {
      const timed = play(rule, log, (start, index) => {
        const toMs = log[index]?.observation.atMs ?? 0
        const fromMs = log[index - 1]?.observation.atMs ?? toMs
        let state = start
        const verdicts: Verdict[] = []
        for (const fraction of (timers[index] ?? []).toSorted((a, b) => a - b)) {
          const outcome = advance(rule, state, fromMs + Math.floor((toMs - fromMs) * fraction))
          state = outcome.state
          verdicts.push(...outcome.verdicts)
        }
        return { state, verdicts }
      })
      assert.deepEqual(timed, straight(rule, log))
    }),
    { numRuns: 1000 },
  )
})

test('a timer at the deadline always has something to say, and one before it never has', () => {
  fc.assert(
    fc.property(rules, moments(-30), (rule, log) => {
      const { state } = straight(rule, log)
      const due = dueMs(state)
      if (due === undefined) {
        assert.deepEqual(advance(rule, state, Number.MAX_SAFE_INTEGER), { state, verdicts: [] })
        return
      }
      assert.deepEqual(advance(rule, state, due - 1), { state, verdicts: [] })
      const { state: next, verdicts } = advance(rule, state, due)
      assert.deepEqual(
        verdicts.map(verdict => verdict.atMs),
        [due],
      )
      assert.equal(dueMs(next), undefined)
    }),
  )
})

test('with a clear limit, an alert that fired resolves only on the good side of clear', () => {
  fc.assert(
    fc.property(moments(-30), holds, (log, keepFiringForMs) => {
      const rule = ruleOf({ above: { kind: 'literal', value: 7 }, clear: { kind: 'literal', value: 3 } })
      for (const { kind, value } of straight(rule, log).verdicts)
        assert.ok(kind === 'fired' ? Number(value) > 7 : Number(value) <= 3)
      const kept = straight({ ...rule, keepFiringForMs }, log).verdicts
      for (const { kind, value } of kept) assert.ok(kind === 'fired' ? Number(value) > 7 : Number(value) <= 7)
    }),
  )
})
