import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { play, told } from './tests.ts'

const warm = '- { alert: Warm, match: { metric: temperature }, above: 8, clear: 7, for: 10m }'

async function failures(rules: string, body: string): Promise<readonly string[]> {
  return (await play(rules, body)).map(told)
}

describe('a test of rules', () => {
  it('passes where the rules do what it says', async () => {
    const body = `
input_series: [{ series: freezer-1/temperature, values: 4x4 9x20 4x5 }]
alert_rule_test:
  - { eval_time: 14m59s, alertname: Warm }
  - eval_time: 15m
    alertname: Warm
    exp_alerts:
      - exp_labels: { device: freezer-1, severity: warning }
        value: 9
        threshold: 8
        since: 5m
        fired_at: 15m
        exp_snippet: { count: 2, from: 14m, to: 15m, thinned: false, bytes_max: 400, series: [freezer-1/temperature] }
  - { eval_time: 29m, exp_alerts: [{ state: resolved, resolved_at: 26m }] }
  - { eval_time: 29m, alertname: Warm }`
    assert.deepEqual(await failures(warm, body), [])
  })

  it('fails where a rule is broken, and says how near it was', async () => {
    const body = `
input_series: [{ series: freezer-1/temperature, values: 4x4 9x20 4x5 }]
alert_rule_test:
  - { eval_time: 15m, alertname: Warm, exp_alerts: [{ exp_labels: { device: freezer-1 }, threshold: 8 }] }
  - { eval_time: 29m, alertname: Warm }`
    const broken: [string, string, readonly string[]][] = [
      ['for: 10m', 'for: 11m', ['15m missing freezer-1 (firing); fired 1m later, at 16m']],
      ['above: 8', 'above: 8.5', ['15m different freezer-1/temperature; threshold: 8 was 8.5']],
      ['above: 8', 'above: 10', ['15m missing freezer-1 (firing); it did not fire; the newest reading was 9, at 15m']],
      ['clear: 7', 'clear: 3', ['29m unexpected freezer-1/temperature; firing since 15m, value 9, limit 8']],
      [
        'metric: temperature',
        'metric: humidity',
        ['15m missing freezer-1 (firing); it did not fire; the newest reading was 9, at 15m'],
      ],
    ]
    assert.deepEqual(await failures(warm, body), [])
    for (const [good, bad, expected] of broken)
      assert.deepEqual(await failures(warm.replace(good, bad), body), expected, bad)
  })

  it('says of each field what was expected and what was there', async () => {
    const rule = `${warm.slice(0, -2)}, labels: { team: a }, annotations: { summary: "{{ $device }} has {{ $value }}" } }`
    const body = `
input_series: [{ series: freezer-1/temperature, values: 9x20 }]
alert_rule_test:
  - eval_time: 15m
    exp_alerts:
      - exp_labels: { alertname: Warm, team: b, shift: night }
        exp_annotations: { summary: freezer-1 has 10 }
        value: 10
        fired_at: 9m30s
        state: resolved
        silenced: true
        exp_snippet: { count: 3, bytes_max: 10, from: 8m }`
    const [failure = '', ...more] = await failures(rule, body)
    assert.deepEqual(more, [])
    assert.deepEqual(failure.split('; '), [
      '15m different Warm freezer-1/temperature',
      'state: resolved was firing (it fires since 10m)',
      'exp_labels.team: "b" was "a"',
      'exp_labels.shift: "night" was not there (there are team, severity, alertname, device, metric)',
      'exp_annotations.summary: "freezer-1 has 10" was "freezer-1 has 9"',
      'value: 10 was 9',
      'fired_at: 9m30s was 10m (30s later)',
      'silenced: true was false',
      'exp_snippet.count: 3 was 2',
      'exp_snippet.bytes_max: at most 10 was 192',
      'exp_snippet.from: 8m was 9m (1m later)',
    ])
  })

  it('finds the partner of each expected alert, whatever their order', async () => {
    const body = `
input_series:
  - { series: a/temperature, values: 9x20 }
  - { series: b/temperature, values: 9x20 }
  - { series: c/temperature, values: 9x20 }
alert_rule_test:
  - eval_time: 15m
    exp_alerts: [{}, { exp_labels: { metric: temperature } }, { exp_labels: { device: a } }]
  - eval_time: 15m
    exp_alerts: [{ exp_labels: { device: b } }, { exp_labels: { device: d } }, {}]`
    assert.deepEqual(await failures(warm, body), [
      '15m missing d (firing); no reading of it had come by then',
      '15m unexpected Warm c/temperature; firing since 10m, value 9, limit 8',
    ])
  })

  it('restarts the real thing: a hold of ten minutes that is cut at minute seven fires at minute ten', async () => {
    const body = `
input_series: [{ series: freezer-1/temperature, values: 9 }]
restart: [{ at: 7m, for: 1m }]
alert_rule_test:
  - { eval_time: 9m, alertname: Warm }
  - { eval_time: 10m, exp_alerts: [{ since: 0s, fired_at: 10m }] }`
    assert.deepEqual(await failures(warm, body), [])
    const longer = body
      .replace('for: 1m', 'for: 5m')
      .replace('eval_time: 9m', 'eval_time: 7m')
      .replace('10m, exp', '12m, exp')
    assert.deepEqual(await failures(warm, longer), [], 'it fires as of minute ten once the gateway is back')
  })

  it('loses what is sent to a gateway that is off, and takes what devices have kept', async () => {
    const rule = '- { alert: Warm, match: { metric: temperature }, above: 8, keep_firing_for: 1h }'
    const body = `
input_series: [{ series: a/temperature, values: 4 4 9 9 4 }]
restart: [{ at: 1m, for: 3m }]
alert_rule_test: [{ eval_time: 5m, alertname: Warm }]`
    assert.deepEqual(await failures(rule, body), [])
    const kept = body
      .replace('for: 3m', 'for: 3m, meanwhile: kept')
      .replace('alertname: Warm', 'exp_alerts: [{ fired_at: 4m }]')
    assert.deepEqual(await failures(rule, kept), [])
  })

  it('writes rows when they are written: the limit that was in force fired it, and a gateway that was off gets them late', async () => {
    const rule = '- { alert: Warm, match: { metric: temperature }, above: { key: "{device}/max", default: 20 } }'
    const body = `
input_series: [{ series: a/temperature, values: 9x10 }]
rows: [{ at: 5m, key: a/max, row: 8 }, { at: 8m, key: a/max, delete: true }]
alert_rule_test:
  - { eval_time: 4m, alertname: Warm }
  - { eval_time: 5m, exp_alerts: [{ threshold: 8, fired_at: 5m }] }
  - { eval_time: 10m, exp_alerts: [{ state: resolved, resolved_at: 8m }] }`
    assert.deepEqual(await failures(rule, body), [])
    const off = body
      .replace('alert_rule_test', 'restart: [{ at: 4m, for: 3m }]\nalert_rule_test')
      .replace(/ {2}- .*eval_time: 5m.*\n/, '')
    assert.deepEqual(
      await failures(
        rule,
        off
          .replace('{ eval_time: 10m,', '{ eval_time: 7m,')
          .replace('state: resolved, resolved_at: 8m', 'fired_at: 7m'),
      ),
      [],
    )
  })

  it('sets the clock of the gateway, and goes on counting in its own time', async () => {
    const rule = '- { alert: Warm, match: { metric: temperature }, above: 8 }'
    for (const jump of ['+1h', '-30m']) {
      const body = `
input_series: [{ series: a/temperature, values: 4x10 9x10 }]
clock: [{ at: 5m, jump: ${jump} }]
alert_rule_test:
  - { eval_time: 10m, alertname: Warm }
  - { eval_time: 11m, exp_alerts: [{ fired_at: 11m, exp_snippet: { count: 2 } }] }`
      assert.deepEqual(await failures(rule, body), [], jump)
    }
  })

  it('looks at holds that have not ended yet, and goes on as if nobody had looked', async () => {
    const body = `
input_series: [{ series: a/temperature, values: 9x20 }]
alert_rule_test:
  - { eval_time: 5m, exp_alerts: [{ state: pending, since: 0s, value: 9, exp_labels: { alertname: Warm, device: a } }] }
  - { eval_time: 10m, exp_alerts: [{ fired_at: 10m }] }`
    assert.deepEqual(await failures(warm, body), [])
    assert.deepEqual(await failures(warm, body.replace('pending', 'firing').replace(', value: 9', '')), [
      '5m missing Warm a (firing); fired 5m later, at 10m',
    ])
    assert.deepEqual(
      await failures(warm, body.replace('values: 9x20', 'values: 9x3 4 9x20').replace('since: 0s', 'since: 1m')),
      [
        '5m different Warm a/temperature; since: 1m was 5m (4m later)',
        '10m missing an alert (firing); fired 5m later, at 15m',
      ],
    )
  })

  it('says what actions publish, each at its own time', async () => {
    const rule = `
- alert: Warm
  match: { metric: temperature }
  above: 8
  for: 90s
  actions:
    - { on: [firing, resolved], publish: { topic: "relays/{{ $device }}", payload: { on: "{{ $state }}" } } }`
    const body = `
input_series: [{ series: a/temperature, values: 4 9x9 4x10 }]
publish_test:
  - { eval_time: 2m29s, exp_published: [] }
  - { eval_time: 2m30s, exp_published: [{ topic: relays/a, payload: { on: firing } }] }
  - { eval_time: 15m, exp_published: [{ topic: relays/a }, { topic: relays/a, payload: { on: resolved } }] }`
    assert.deepEqual(await failures(rule, body), [])
    assert.deepEqual(await failures(rule, body.replace('payload: { on: resolved }', 'payload: { on: off }')), [
      '15m different message 2; payload: {"on":"off"} was {"on":"resolved"}',
    ])
    assert.deepEqual(await failures(rule.replace('90s', '60s'), body), [
      '2m29s unexpected message 1; at 2m on relays/a: {"on":"firing"}',
    ])
  })

  it('says when there is nothing to acknowledge', async () => {
    const body = `
input_series: [{ series: a/temperature, values: 4x10 }]
acks: [{ at: 5m, alertname: Warm, by: eve }]`
    assert.deepEqual(await failures(warm, body), ['5m missing an alert to acknowledge; none stands at that time'])
  })

  it('plays a day of readings that no step of it changes', async () => {
    const body = `
input_series:
  - { series: a/temperature, values: 4x1439 9x20 }
  - { series: b/temperature, values: 4+0.001x1450 }
alert_rule_test: [{ eval_time: 1d10m, exp_alerts: [{ exp_labels: { device: a }, fired_at: 1d10m }] }]`
    assert.deepEqual(await failures(warm, body), [])
  })
})
