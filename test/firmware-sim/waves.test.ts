import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { bell, bellMax } from '../../firmware-sim/chance.ts'
import { measure, type Metric, type SensorValue, type Wave } from '../../firmware-sim/waves.ts'

const startMs = Date.UTC(2026, 0, 1)

function metricOf(wave: Wave, more: Partial<Metric> = {}): Metric {
  const common = { name: 'metric', noise: 0, decimals: 3, unit: undefined, everyMs: 1_000, script: [] }
  return { ...common, wave, ...more }
}

function at(metric: Metric, sinceStartMs: number, seed = 1, device = 'device-1'): SensorValue {
  return measure(seed, device, metric, { atMs: startMs + sinceStartMs, sinceStartMs })
}

const waves: Wave[] = [
  { kind: 'daily', mean: -18, amplitude: 2, periodMs: 86_400_000, peakMs: 54_000_000 },
  { kind: 'vibration', mean: 2.8, amplitude: 0.8, spikeChance: 0.01, spike: 6 },
  { kind: 'switch', openChance: 0.01, openForMs: 20_000 },
  { kind: 'step', from: 1, to: 2, atMs: 5_000 },
  { kind: 'ramp', from: 0, to: 10, overMs: 60_000, repeat: true },
  { kind: 'constant', value: 'idle' },
]

test('a value depends on seed, device, metric and time only, in whatever order it is asked for', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...waves),
      fc.integer(),
      fc.array(fc.nat(1e9), { maxLength: 20 }),
      (wave, seed, times) => {
        const metric = metricOf(wave, { noise: 0.5 })
        const forwards = times.map(time => at(metric, time, seed))
        const backwards = times.toReversed().map(time => at(metric, time, seed))
        assert.deepEqual(forwards, backwards.toReversed())
      },
    ),
  )
})

test('another seed, device or metric measures something else', () => {
  const metric = metricOf({ kind: 'constant', value: 0 }, { noise: 1 })
  const times = Array.from({ length: 50 }, (_, index) => index * 1_000)
  const series = (seed: number, device: string, name: string): string =>
    times.map(time => at({ ...metric, name }, time, seed, device)).join()
  const all = [series(1, 'a', 'x'), series(2, 'a', 'x'), series(1, 'b', 'x'), series(1, 'a', 'y')]
  assert.equal(new Set(all).size, 4)
})

test('noise stays within its bound and is about as wide as it says', () => {
  fc.assert(fc.property(fc.integer({ min: 0, max: 0xffff_ffff }), hash => Math.abs(bell(hash)) <= bellMax))
  const metric = metricOf({ kind: 'constant', value: 10 }, { noise: 0.5, decimals: 9 })
  const values = Array.from({ length: 20_000 }, (_, index) => Number(at(metric, index * 1_000)) - 10)
  const deviation = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length)
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length
  assert.ok(Math.abs(deviation - 0.5) < 0.02, `deviation ${deviation}`)
  assert.ok(Math.abs(mean) < 0.02, `mean ${mean}`)
})

test('a daily wave is warmest at its peak, coldest half a day later, and never beyond its amplitude and noise', () => {
  const metric = metricOf({ kind: 'daily', mean: -18, amplitude: 2, periodMs: 86_400_000, peakMs: 54_000_000 })
  assert.equal(at(metric, 15 * 3_600_000), -16)
  assert.equal(at(metric, 3 * 3_600_000), -20)
  fc.assert(
    fc.property(fc.nat(1e9), time => {
      const value = Number(at({ ...metric, noise: 0.2 }, time))
      return Math.abs(value + 18) <= 2 + 0.2 * bellMax + 0.001
    }),
  )
})

test('a vibration stays within mean, amplitude, spike and noise, and does knock now and then', () => {
  const metric = metricOf({ kind: 'vibration', mean: 3, amplitude: 1, spikeChance: 0.01, spike: 6 }, { noise: 0.1 })
  const values = Array.from({ length: 10_000 }, (_, index) => Number(at(metric, index * 250)))
  const knocks = values.filter(value => value > 3 + 1 + 0.1 * bellMax)
  assert.ok(values.every(value => value >= 2 - 0.1 * bellMax - 0.001 && value <= 10 + 0.1 * bellMax + 0.001))
  assert.ok(knocks.length > 40 && knocks.length < 160, `${knocks.length} knocks`)
})

test('a door opens about as often as its chance says, stays open for its time, and can stay closed', () => {
  const openings = (openChance: number, openForMs: number): { count: number; shortestMs: number } => {
    const metric = metricOf({ kind: 'switch', openChance, openForMs })
    const states = Array.from({ length: 20_000 }, (_, second) => at(metric, second * 1_000))
    const runs = states.map(state => (state === true ? '1' : '0')).join('')
    const open = [...runs.matchAll(/(?<=0)1+(?=0)/g)].map(([run]) => run.length * 1_000)
    return { count: open.length, shortestMs: Math.min(...open) }
  }
  assert.equal(openings(0, 20_000).count, 0)
  const { count, shortestMs } = openings(0.01, 20_000)
  assert.ok(count > 100 && count < 230, `${count} openings`)
  assert.equal(shortestMs, 20_000)
})

test('a step, a ramp and a constant do what their names say', () => {
  const step = metricOf({ kind: 'step', from: 1, to: 2, atMs: 5_000 })
  assert.deepEqual([at(step, 4_999), at(step, 5_000)], [1, 2])
  const ramp = metricOf({ kind: 'ramp', from: 10, to: 0, overMs: 1_000, repeat: false })
  assert.deepEqual([at(ramp, 0), at(ramp, 500), at(ramp, 1_000), at(ramp, 9_000)], [10, 5, 0, 0])
  const saw = metricOf({ kind: 'ramp', from: 0, to: 10, overMs: 1_000, repeat: true })
  assert.deepEqual([at(saw, 999), at(saw, 1_000), at(saw, 1_500)], [9.99, 0, 5])
  assert.equal(at(metricOf({ kind: 'constant', value: 'idle' }, { noise: 3 }), 7), 'idle')
})

test('a script takes a value over at its moments and hands it back with null', () => {
  const script = [
    { atMs: 5_000, value: 9.5 },
    { atMs: 8_000, value: null },
  ]
  const metric = metricOf({ kind: 'constant', value: 4 }, { script })
  assert.deepEqual(
    [0, 4_999, 5_000, 7_999, 8_000].map(time => at(metric, time)),
    [4, 4, 9.5, 9.5, 4],
  )
})
