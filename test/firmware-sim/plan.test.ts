import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { formatProblem } from '../../firmware-sim/plan-text.ts'
import { defaultPlan, parsePlan, type Plan } from '../../firmware-sim/plan.ts'

function problems(text: string): string[] {
  const checked = parsePlan('plan.yaml', text)
  return checked.ok ? [] : checked.problems.map(formatProblem)
}

function planOf(text: string): Plan {
  const checked = parsePlan('plan.yaml', text)
  assert.ok(checked.ok, checked.ok ? '' : checked.problems.map(formatProblem).join('\n'))
  return checked.value
}

test('every problem of a plan is told at once, in order, with line, column and the nearest known key', () => {
  const text = `topic: sensors/{devise}/{metric}
devises: 3
devices:
  - name: freezer-{n}
    count: 0
    qos: 3
    evry: 1s
    metrics:
      temperature: { wave: daily, maen: -18, amplitude: 2 }
      door: { wave: swich, open_chance: 0.1 }
    faults:
      burst: { every: 5 }
      garbage: { chance: 2, kinds: [bianry] }
`
  assert.deepEqual(problems(text), [
    'plan.yaml:1:8: "topic": unknown part "{devise}"; did you mean "device"?',
    'plan.yaml:2:1: unknown key "devises"; did you mean "devices"?',
    'plan.yaml:5:12: "count": must be at least 1',
    'plan.yaml:6:10: "qos": must be one of 0, 1, 2',
    'plan.yaml:7:5: unknown key "evry"; did you mean "every"?',
    'plan.yaml:9:20: the key "mean" is missing',
    'plan.yaml:9:35: unknown key "maen"; did you mean "mean"?',
    'plan.yaml:10:21: "wave": unknown name "swich"; did you mean "switch"?',
    'plan.yaml:12:14: the key "count" is missing',
    'plan.yaml:12:23: "every": "5" is not a duration: write 5s, 250ms or 1h30m',
    'plan.yaml:13:26: "chance": must be between 0 and 1',
    'plan.yaml:13:37: item 1: unknown name "bianry"; did you mean "binary"?',
  ])
})

test('names that would collide are refused, also beside other problems', () => {
  const group = (more: string): string => `  - { ${more}, metrics: { m: { wave: constant, value: 1 } } }\n`
  assert.deepEqual(
    problems(
      `devices:\n${group('name: a, count: 2')}${group('name: "b-{n}", count: 2')}${group('name: b-2, qso: 1')}${group('name: c/d')}`,
    ),
    [
      'plan.yaml:2:13: "name": must contain {n}, since there are 2 of them',
      'plan.yaml:4:13: "name": the device "b-2" is in group 2 already',
      'plan.yaml:4:18: unknown key "qso"; did you mean "qos"?',
      'plan.yaml:5:13: "name": must not contain / + or #',
    ],
  )
})

test('a script out of order, an empty plan and broken YAML each give one sentence', () => {
  const script = 'script: [{ at: 5s, value: 1 }, { at: 5s, value: 2 }]'
  assert.deepEqual(problems(`devices: [{ name: a, metrics: { m: { wave: constant, value: 1, ${script} } } }]`), [
    'plan.yaml:1:72: "script": the points of a script must be in order of time',
  ])
  assert.deepEqual(problems(''), ['plan.yaml:1:1: the key "devices" is missing'])
  assert.deepEqual(problems('devices: []'), ['plan.yaml:1:10: "devices": must have at least one group'])
  assert.match(problems('devices: [').join(), /^plan.yaml:1:11: /)
  assert.match(problems(`devices: "${'x'.repeat(300_000)}"`).join(), /larger than 262144 bytes/)
})

test('a plan gives one device for each of its groups’ counts, with defaults where it is silent', () => {
  const plan = planOf(`devices:
  - name: freezer-{n}
    count: 2
    every: 5s
    metrics:
      temperature: { wave: constant, value: 4 }
      door: { wave: switch, open_chance: 0.1, every: 250ms }
    faults: { clock: { offset: -1m30s } }
`)
  assert.deepEqual(
    plan.devices.map(device => device.name),
    ['freezer-1', 'freezer-2'],
  )
  const first = plan.devices[0]
  assert.equal(first?.topic, 'sensors/freezer-1/{metric}')
  assert.deepEqual([first?.qos, first?.windowMax, first?.outboxMax, first?.payload], [1, 20, 1_000, 'json'])
  assert.deepEqual(
    first?.metrics.map(metric => metric.everyMs),
    [5_000, 250],
  )
  assert.deepEqual(first?.faults.clock, { driftPpm: 0, offsetMs: -90_000 })
})

test('what a format cannot say, and faults that it does not have, are refused with the plan', () => {
  const constant = (unit: string): string => `metrics: { m: { wave: constant, value: 1, unit: "${unit}" } }`
  assert.deepEqual(
    problems(`devices:
  - { name: a, payload: text, ${constant('a,b')} }
  - { name: b, payload: json, ${constant('%')}, faults: { format: { chance: 0.1 } } }
  - { name: c, payload: cbor, ${constant('%')}, faults: { format: { chance: 0.1, kinds: [bignum, bigmun] } } }
  - { name: d, payload: cobr, ${constant('%')} }
`).map(problem => problem.replace(/; known: .*/, '')),
    [
      'plan.yaml:2:25: "payload": text: a text has no comma, no line break and no space around it',
      'plan.yaml:3:106: "format": json has no faults of its own',
      'plan.yaml:4:137: item 2: unknown name "bigmun"; did you mean "bignum"?',
      'plan.yaml:5:25: "payload": unknown name "cobr"; did you mean "cbor"?',
    ],
  )
})

test('the example plans and the default plan are good', () => {
  assert.equal(planOf(readFileSync('firmware-sim/plans/cold-store.yaml', 'utf8')).devices.length, 7)
  assert.equal(planOf(readFileSync('firmware-sim/plans/faulty.yaml', 'utf8')).devices.length, 11)
  assert.equal(planOf(readFileSync('firmware-sim/plans/formats.yaml', 'utf8')).devices.length, 12)
  assert.equal(defaultPlan.devices.length, 5)
})
