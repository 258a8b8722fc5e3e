/** What a replay says of the past is what the gateway has said at the time. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import type { Rule } from '../../rules/rule.ts'
import { history } from '../../runtime/api/history.ts'
import { readPast } from '../../runtime/rehearsal/past.ts'
import { Replay } from '../../runtime/rehearsal/replay.ts'
import type { TriedStory } from '../../runtime/rehearsal/tried.ts'
import { wantedBy } from '../../runtime/rehearsal/wanted.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { Rig, rules } from '../alerting/rig.ts'
import { arrival, startMs } from '../store/suite.ts'

const hourMs = 3_600_000
const quietMs = 20 * 60_000

const various = rules(`
      - { alert: Held, match: { metric: temperature }, above: 8, clear: 6, for: 2m, keep_firing_for: 1m }
      - { alert: AtOnce, match: { device: "a*" }, above: 9, below: 1 }
      - { alert: Row, match: { device: b }, above: { key: "{device}/limit", default: 5 } }
      - { alert: Silent, match: { metric: temperature }, absent: 5m }
      - { alert: AllSilent, per: all, absent: 7m }
      - { alert: DeviceSilent, per: device, absent: 6m }
      - { alert: Flaps, match: { device: a }, above: 5, flapping: { changes: 2, within: 10m } }
      - { alert: Text, match: { metric: state }, expr: value == "bad" }
`)

const looking = rules(`
      - { alert: Jumps, match: { metric: temperature }, expr: delta(5m) > 4 }
      - { alert: Mean, match: { metric: temperature }, expr: "avg(10m)", above: 7, clear: 6, for: 1m }
      - { alert: Both, match: { device: a, metric: temperature }, expr: 'value > 6 && last("b", "temperature") > 6' }
      - { alert: Few, match: { metric: temperature }, per: all, expr: devices(5m) < 2 }
      - { record: warmest, match: { metric: temperature }, expr: max(15m), interval: 5m }
      - { alert: WarmQuarter, match: { metric: warmest }, above: 10 }
`)

async function replayed(rig: Rig, inForce: readonly Rule[], fromMs: number, toMs: number): Promise<TriedStory> {
  const { series, beforeMs } = wantedBy(inForce)
  const lookup = (table: string, key: string) => rig.store.latest(table, key)
  const replay = new Replay(
    inForce,
    { fromMs, toMs, beforeMs },
    { origin: rig.store.origin, lookup, labelsOf: () => ({}) },
  )
  const source = new Map(
    [...series].map(([table, patterns]) => {
      const forms = history(
        rig.store,
        table,
        { series: patterns, fromMs: fromMs - beforeMs, toMs },
        new AbortController().signal,
      )
      return [table, flat(forms)]
    }),
  )
  for await (const batch of readPast(source)) replay.judge(batch)
  return replay.end()
}

async function* flat<Item>(batches: AsyncIterable<readonly Item[]>): AsyncGenerator<Item> {
  for await (const batch of batches) yield* batch
}

type Step = {
  readonly device: string
  readonly afterMs: number
  readonly value: number | string
  readonly lateMs: number
}

const step: fc.Arbitrary<Step> = fc.record({
  device: fc.constantFrom('a', 'a2', 'b'),
  afterMs: fc.oneof(fc.integer({ min: 0, max: 60_000 }), fc.integer({ min: 60_000, max: 600_000 })),
  value: fc.oneof(
    { weight: 5, arbitrary: fc.integer({ min: 0, max: 12 }) },
    { weight: 1, arbitrary: fc.constantFrom('bad', 'ok') },
  ),
  lateMs: fc.oneof(
    { weight: 6, arbitrary: fc.constant(0) },
    { weight: 1, arbitrary: fc.integer({ min: 0, max: hourMs }) },
  ),
})

function readingsOf(steps: readonly Step[]): { readings: Arrival[]; endMs: number } {
  let nowMs = startMs
  // A quiet beginning: before the first reading the gateway was there, and nobody knows how long.
  const quiet = Array.from({ length: quietMs / 60_000 }, () =>
    (['a', 'b'] as const).map(device => ({ device, afterMs: 30_000, value: 5, lateMs: 0 })),
  )
  const readings = [...quiet.flat(), ...steps].map(({ device, afterMs, value, lateMs }) => {
    nowMs += afterMs
    const metric = typeof value === 'string' ? 'state' : 'temperature'
    const deviceTimeMs = lateMs === 0 ? undefined : nowMs - lateMs
    return arrival({ device, metric, value, arrivalMs: nowMs, deviceTimeMs, unit: undefined })
  })
  return { readings, endMs: nowMs + 2 * hourMs }
}

async function sameAsLive(inForce: readonly Rule[]): Promise<void> {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { minLength: 1, maxLength: 60 }), async steps => {
      const rig = await new Rig().open()
      try {
        await rig.alerting.use(inForce)
        const { readings, endMs } = readingsOf(steps)
        for (let at = 0; at < readings.length; at += 7) {
          const some = readings.slice(at, at + 7)
          rig.nowMs = some.at(-1)?.arrivalMs ?? rig.nowMs
          await rig.store.commit([{ kind: 'append', table: 'readings', readings: some }], 'now')
          await rig.alerting.settled()
        }
        rig.nowMs = endMs
        await rig.alerting.settled()
        const live = (await rig.alerts())
          .filter(row => row.fired_ms > startMs + quietMs)
          .map(row =>
            [
              row.rule,
              row.device,
              row.metric,
              row.late,
              row.flapping,
              row.fired_ms - startMs,
              (row.resolved_ms ?? endMs) - startMs,
            ].join(' '),
          )
        const { alerts } = await replayed(rig, inForce, startMs, endMs)
        const again = alerts
          .filter(alert => alert.firedMs > startMs + quietMs)
          .map(alert =>
            [
              alert.rule,
              alert.device,
              alert.metric,
              alert.late,
              alert.flapping,
              alert.firedMs - startMs,
              (alert.endedMs ?? endMs) - startMs,
            ].join(' '),
          )
        assert.deepEqual(again.toSorted(), live.toSorted())
      } finally {
        await rig.end()
      }
    }),
    { numRuns: 60 },
  )
}

test('a replay of all that is stored raises the alerts that were raised live, late ones and silences too', () =>
  sameAsLive(various))

test('so it does where rules look at windows, at other series and at what rules have recorded', () =>
  sameAsLive(looking))
