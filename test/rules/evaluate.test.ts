/** The state machine by cases that a person can check with a finger. Times are seconds. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { dueMs, startState, type RuleState } from '../../rules/judge/evaluate.ts'
import type { Lookup } from '../../rules/judge/threshold.ts'
import type { Verdict } from '../../rules/judge/verdict.ts'
import type { Limit, AlertRule } from '../../rules/rule.ts'
import type { Json, Value } from '../../runtime/reading.ts'
import { advance, type RuleChange, ruleOf, step } from './rules.ts'

const literal = (value: number): Limit => ({ kind: 'literal', value })
const row: Limit = { kind: 'row', table: 'thresholds', key: '{device}/{metric}', field: 'max', default: undefined }
const noRows: Lookup = () => undefined
const rowIs =
  (value: Json, stamp = 77): Lookup =>
  (table, key) =>
    table === 'thresholds' && key === 'd/m' ? { value, stamp } : undefined

type Event = [atS: number, value: Value, lookup?: Lookup] | [atS: number]

/** What is said while events pass: `fired@30=9` is a verdict at 30 s with value 9. An event without value is a timer. */
function run(
  rule: AlertRule,
  events: readonly Event[],
  start: RuleState = startState,
): { said: string[]; state: RuleState; verdicts: Verdict[] } {
  let state = start
  const verdicts: Verdict[] = []
  for (const [atS, value, lookup = noRows] of events) {
    const observation = { device: 'd', metric: 'm', value: value ?? 0, atMs: atS * 1000, timeMs: atS }
    const outcome = value === undefined ? advance(rule, state, atS * 1000) : step(rule, state, observation, lookup)
    state = outcome.state
    verdicts.push(...outcome.verdicts)
  }
  return {
    said: verdicts.map(verdict => `${verdict.kind}@${verdict.atMs / 1000}=${JSON.stringify(verdict.value)}`),
    state,
    verdicts,
  }
}

const said = (change: RuleChange, events: readonly Event[]): string[] => run(ruleOf(change), events).said

test('without a hold an alert fires with the reading and resolves with the first good one', () => {
  assert.deepEqual(
    said({}, [
      [1, 8],
      [2, 8.1],
      [3, 9],
      [4, 8],
      [5, 7],
    ]),
    ['fired@2=8.1', 'resolved@4=8'],
  )
})

test('below mirrors above', () => {
  assert.deepEqual(
    said({ above: undefined, below: literal(2) }, [
      [1, 2],
      [2, 1.9],
      [3, 2],
    ]),
    ['fired@2=1.9', 'resolved@3=2'],
  )
})

test('a band is violated on both sides, and moving from one to the other goes on violating', () => {
  const events: Event[] = [
    [0, 9],
    [5, 1],
    [10, 1],
    [11, 9],
    [12, 5],
  ]
  const { said, verdicts } = run(ruleOf({ below: literal(2), forMs: 10_000 }), events)
  assert.deepEqual(said, ['fired@10=1', 'resolved@12=5'])
  assert.deepEqual([verdicts[0]?.side, verdicts[0]?.threshold, verdicts[0]?.sinceMs], ['below', 2, 0])
})

test('a hold fires exactly at its deadline with the value last seen, though no reading follows', () => {
  assert.deepEqual(said({ forMs: 30_000 }, [[10, 9], [20, 9.5], [39.999]]), [])
  assert.deepEqual(said({ forMs: 30_000 }, [[10, 9], [20, 9.5], [400]]), ['fired@40=9.5'])
})

test('a hold fires exactly at its deadline when only a later reading notices it', () => {
  assert.deepEqual(
    said({ forMs: 30_000 }, [
      [10, 9],
      [400, 7],
    ]),
    ['fired@40=9', 'resolved@400=7'],
  )
})

test('a reading on the deadline comes after it', () => {
  assert.deepEqual(
    said({ forMs: 30_000 }, [
      [10, 9],
      [40, 7],
    ]),
    ['fired@40=9', 'resolved@40=7'],
  )
})

test('one good reading ends a hold', () => {
  assert.deepEqual(
    said({ forMs: 30_000 }, [
      [10, 9],
      [30, 8],
      [31, 9],
      [60, 9],
    ]),
    [],
  )
  assert.deepEqual(
    said({ forMs: 30_000, clear: literal(7) }, [
      [10, 9],
      [30, 8],
      [31, 9],
      [60, 9],
    ]),
    [],
  )
})

test('a hold interrupted by a restart fires at the time it would have fired', () => {
  const rule = ruleOf({ forMs: 600_000 })
  const before = run(rule, [
    [0, 9],
    [420, 9.2],
  ])
  const restored = JSON.parse(JSON.stringify(before.state)) as RuleState
  assert.equal(dueMs(restored), 600_000)
  assert.deepEqual(run(rule, [[900]], restored).said, ['fired@600=9.2'])
})

test('between clear and limit a firing alert stays, and a quiet one stays quiet', () => {
  const change = { clear: literal(7) }
  assert.deepEqual(
    said(change, [
      [1, 7.5],
      [2, 9],
      [3, 7.5],
      [4, 7.1],
      [5, 7],
      [6, 7.9],
    ]),
    ['fired@2=9', 'resolved@5=7'],
  )
  const below = { above: undefined, below: literal(2), clear: literal(3) }
  assert.deepEqual(
    said(below, [
      [1, 2.5],
      [2, 1],
      [3, 2.5],
      [4, 3],
    ]),
    ['fired@2=1', 'resolved@4=3'],
  )
})

test('a value that trembles on its limit for an hour gives one alert and one clear', () => {
  const trembling = Array.from({ length: 3600 }, (_, second): Event => [second, 8 + (second % 2 === 0 ? 0.1 : -0.1)])
  assert.deepEqual(said({ clear: literal(7) }, [...trembling, [3600, 6.9]]), ['fired@0=8.1', 'resolved@3600=6.9'])
  assert.deepEqual(said({ keepFiringForMs: 2000 }, [...trembling, [3700]]), ['fired@0=8.1', 'resolved@3601=7.9'])
  assert.deepEqual(said({ forMs: 2000 }, trembling), [])
})

test('keep_firing_for resolves exactly when the value has been good for so long, with the value last seen', () => {
  const change = { keepFiringForMs: 60_000 }
  assert.deepEqual(said(change, [[0, 9], [10, 7], [20, 6], [69.999]]), ['fired@0=9'])
  assert.deepEqual(said(change, [[0, 9], [10, 7], [20, 6], [500]]), ['fired@0=9', 'resolved@70=6'])
})

test('a violation while clearing returns to the same alert, and the wait begins again', () => {
  const events: Event[] = [[0, 9], [10, 7], [60, 9], [61, 7], [100], [121]]
  assert.deepEqual(said({ keepFiringForMs: 60_000 }, events), ['fired@0=9', 'resolved@121=7'])
})

test('a value between clear and limit does not stop an alert from clearing', () => {
  const events: Event[] = [[0, 9], [10, 7], [60, 7.5], [500]]
  assert.deepEqual(said({ clear: literal(7), keepFiringForMs: 60_000 }, events), ['fired@0=9', 'resolved@70=7.5'])
})

test('switches count as 1 and 0; texts and objects change nothing', () => {
  const change = { above: literal(0), forMs: 10_000 }
  assert.deepEqual(
    said(change, [
      [0, true],
      [5, 'open'],
      [6, { a: 1 }],
      [7, [1]],
      [20, false],
    ]),
    ['fired@10=1', 'resolved@20=0'],
  )
  assert.deepEqual(
    said({}, [
      [0, 'hot'],
      [1, '9'],
    ]),
    [],
  )
})

test('a threshold that changes takes effect with the next reading, and the verdict says which version it was', () => {
  const { said, verdicts } = run(ruleOf({ above: row }), [
    [1, 9, rowIs({ max: 10 }, 1)],
    [2, 9, rowIs({ max: 8 }, 2)],
    [3, 9, rowIs({ max: 9 }, 3)],
  ])
  assert.deepEqual(said, ['fired@2=9', 'resolved@3=9'])
  for (const verdict of verdicts) {
    assert.equal(verdict.threshold, 8)
    assert.deepEqual(verdict.source, { table: 'thresholds', key: 'd/m', stamp: 2 })
  }
})

test('a hold records the threshold that its last reading was compared with', () => {
  const { verdicts } = run(ruleOf({ above: row, forMs: 10_000 }), [
    [1, 9, rowIs({ max: 8 }, 1)],
    [2, 9, rowIs({ max: 8.5 }, 2)],
    [20],
  ])
  assert.deepEqual([verdicts[0]?.atMs, verdicts[0]?.threshold, verdicts[0]?.timeMs], [11_000, 8.5, undefined])
})

test('a row may be the number itself, and a default stands in for a row that holds none', () => {
  const whole = { ...row, field: undefined }
  assert.equal(run(ruleOf({ above: whole }), [[1, 9, rowIs(8)]]).verdicts[0]?.threshold, 8)
  for (const value of [null, 'x', true, { min: 1 }, { max: '8' }, [8]]) {
    assert.deepEqual(run(ruleOf({ above: row }), [[1, 9, rowIs(value)]]).said, [])
    const verdict: Verdict | undefined = run(ruleOf({ above: { ...row, default: 5 } }), [[1, 9, rowIs(value)]])
      .verdicts[0]
    assert.deepEqual([verdict?.threshold, verdict?.source], [5, 'default'])
  }
})

test('fields that objects are born with are no thresholds', () => {
  assert.deepEqual(run(ruleOf({ above: { ...row, field: 'constructor' } }), [[1, 9, rowIs({})]]).said, [])
})

test('a threshold that is gone ends a hold but never an alert', () => {
  const change = { above: row, forMs: 10_000 }
  const eight = rowIs({ max: 8 })
  assert.deepEqual(said(change, [[1, 9, eight], [5, 9], [30]]), [])
  assert.deepEqual(
    said(change, [
      [1, 9, eight],
      [11, 9],
      [12, 1],
      [13, 1],
      [14, 1, eight],
    ]),
    ['fired@11=9', 'resolved@14=1'],
  )
})

test('in a band one known limit is enough to violate, but both must be known to clear', () => {
  const rule = { above: row, below: literal(2) }
  assert.deepEqual(
    said(rule, [
      [1, 1],
      [2, 5],
      [3, 5, rowIs({ max: 8 })],
    ]),
    ['fired@1=1', 'resolved@3=5'],
  )
})

test('a clear limit out of a row never lies on the wrong side of its limit', () => {
  const clear = { ...row, field: 'clear' }
  const events: Event[] = [
    [1, 8.5, rowIs({ clear: 9 })],
    [2, 8.2, rowIs({ clear: 9 })],
    [3, 8, rowIs({ clear: 9 })],
  ]
  assert.deepEqual(said({ clear }, events), ['fired@1=8.5', 'resolved@3=8'])
  assert.deepEqual(
    said({ clear }, [
      [1, 9],
      [2, 8],
    ]),
    ['fired@1=9', 'resolved@2=8'],
  )
})

test('time that runs backwards never fires early and never gives an alert that ends before it begins', () => {
  assert.deepEqual(said({ forMs: 30_000 }, [[100, 9], [50, 9], [90, 9], [129]]), [])
  assert.deepEqual(said({ forMs: 30_000 }, [[100, 9], [50, 9], [130]]), ['fired@130=9'])
  assert.deepEqual(
    said({}, [
      [100, 9],
      [50, 7],
    ]),
    ['fired@100=9', 'resolved@100=7'],
  )
  assert.deepEqual(said({ keepFiringForMs: 10_000 }, [[100, 9], [50, 7], [109], [110]]), [
    'fired@100=9',
    'resolved@110=7',
  ])
})

test('two alerts within one millisecond have different times, so their rows have different keys', () => {
  const { verdicts } = run(ruleOf({}), [
    [1, 9],
    [1, 7],
    [1, 9],
    [1, 7],
  ])
  assert.deepEqual(
    verdicts.map(verdict => verdict.firedMs),
    [1000, 1000, 1001, 1001],
  )
})

test('a verdict carries the device time of the reading that decided', () => {
  const { verdicts } = run(ruleOf({}), [
    [100, 9],
    [200, 7],
  ])
  assert.deepEqual(
    verdicts.map(verdict => verdict.timeMs),
    [100, 200],
  )
})

test('the resolved verdict remembers what fired', () => {
  const { verdicts } = run(ruleOf({ forMs: 5000 }), [
    [1, 9],
    [2, 9.5],
    [10, 3],
  ])
  assert.deepEqual(verdicts[1], {
    kind: 'resolved',
    rule: 'A',
    atMs: 10_000,
    value: 3,
    timeMs: 10,
    sinceMs: 1000,
    firedMs: 6000,
    firedValue: 9.5,
    side: 'above',
    threshold: 8,
    source: 'literal',
    lookedUp: [],
    late: false,
    flapping: false,
    acked: undefined,
    reason: undefined,
  })
})

test('a state that has not changed is the same object, so nobody need write it', () => {
  const rule = ruleOf({ clear: literal(7), keepFiringForMs: 10_000 })
  const firing = run(rule, [[1, 9]]).state
  const still = run(rule, [[2, 10], [3, 7.5], [4, 'x'], [5]], firing).state
  assert.equal(still, firing)
  assert.equal(run(rule, [[1, 5], [2, 6], [3]]).state, startState)
})
