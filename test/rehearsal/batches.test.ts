import assert from 'node:assert/strict'
import { it } from 'node:test'
import fc from 'fast-check'
import { play, told } from './tests.ts'

const rules = `
- { alert: Now, match: { metric: t }, above: 8, clear: 6 }
- { alert: Held, match: { metric: t }, above: 8, for: 150s, keep_firing_for: 90s }
- { alert: Flaps, match: { metric: t }, above: 8, flapping: { changes: 2, within: 10m } }
- { alert: Silent, match: { metric: t }, absent: 4m }
- { alert: SilentDevice, match: { metric: t }, per: device, absent: 5m }
- { alert: Row, match: { metric: t }, above: { key: limit, default: 9 }, for: 1m }
- { alert: Latched, match: { metric: t }, above: 8, latch: true }
- { alert: Average, match: { metric: t }, expr: "avg(5m) > 7", for: 1m }
- { alert: Jump, match: { metric: t }, expr: "delta()", above: 4 }
- { alert: Together, match: { metric: t }, per: all, expr: "max(3m) > 9 && devices(3m) > 1" }
- { record: t_avg, match: { metric: t }, expr: "avg(5m)", interval: 3m }
- { alert: Recorded, match: { metric: t_avg }, above: 8 }`

/** Values that cross every limit, and gaps. */
const values = fc.array(fc.constantFrom('4', '7', '9', '10', '_', '9x3', '4x4', '_x6'), { minLength: 1, maxLength: 25 })
const minute = fc.integer({ min: 1, max: 60 }).map(minutes => `${minutes}m`)

it('giving all readings between two moments at once changes nothing: walking from reading to reading finds the same', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(minute, fc.integer({ min: 3, max: 12 })), { maxLength: 2 }),
      fc.option(fc.tuple(minute, fc.constantFrom('+1h', '-2m', '-1h'))),
      async (series, rows, jump) => {
        const body = [
          'input_series:',
          ...series.map(
            (each, index) => `  - { series: d-${index}/t, interval: ${50 + 7 * index}s, values: ${each.join(' ')} }`,
          ),
          `rows: [${rows.map(([at, limit]) => `{ at: ${at}, key: limit, row: ${limit} }`).join(', ')}]`,
          ...(jump ? [`clock: [{ at: ${jump[0]}, jump: ${jump[1]} }]`] : []),
          'alert_rule_test:',
          // Nothing is expected, so that everything that stands is told; and one that was never there tells of all that ended.
          '  - { eval_time: 75m }',
          '  - { eval_time: 90m, exp_alerts: [{ state: resolved, exp_labels: { device: none } }] }',
        ].join('\n')
        const walking = `${body}\npublish_test: [{ eval_time: 90m, topic: "nothing/*", exp_published: [] }]`
        assert.deepEqual((await play(rules, walking)).map(told), (await play(rules, body)).map(told), body)
      },
    ),
    { numRuns: 8 },
  )
})

it('a restart or a power cut at any moment changes no alert', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(values, { minLength: 1, maxLength: 3 }),
      fc.array(fc.tuple(minute, fc.boolean()), { minLength: 1, maxLength: 4 }),
      async (series, cuts) => {
        const moments = new Map(cuts)
        const body = [
          'input_series:',
          ...series.map(
            (each, index) => `  - { series: d-${index}/t, interval: ${50 + 7 * index}s, values: ${each.join(' ')} }`,
          ),
          'alert_rule_test:',
          '  - { eval_time: 75m }',
          '  - { eval_time: 90m, exp_alerts: [{ state: resolved, exp_labels: { device: none } }] }',
        ].join('\n')
        const restarts = [...moments].map(([at, isCrash]) => `{ at: ${at}, crash: ${isCrash} }`)
        const cut = `${body}\nrestart: [${restarts.join(', ')}]`
        assert.deepEqual((await play(rules, cut)).map(told), (await play(rules, body)).map(told), cut)
      },
    ),
    { numRuns: 8 },
  )
})
