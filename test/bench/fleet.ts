/**
 * What a fleet would send: 100 devices with four metrics each, one reading of each per second with jitter, values that
 * walk at random with one or two decimals. Seeded, so that every run measures the same bytes.
 */
import type { Stamp } from '../../runtime/stamp.ts'
import { type Arrival, type ReadingEntry, type Series, asSeq } from '../../runtime/store/types.ts'
import { stampAt } from '../../runtime/stamp.ts'

export type FleetOptions = {
  readonly devices: number
  readonly seed: number
  /** Whether devices send their own time; their clocks are off by up to some seconds each. */
  readonly deviceTimes: boolean
}

const metrics = [
  { metric: 'temperature', unit: '°C', start: 21, spread: 6, step: 0.15, places: 2 },
  { metric: 'humidity', unit: '%', start: 48, spread: 15, step: 0.3, places: 1 },
  { metric: 'pressure', unit: 'hPa', start: 1013, spread: 4, step: 0.1, places: 1 },
  { metric: 'current', unit: 'A', start: 3.2, spread: 2, step: 0.12, places: 2 },
] as const

const startMs = Date.UTC(2026, 4, 1)
const periodMs = 1_000
const jitterMs = 40
const commitEveryMs = 100

/** Readings in the order in which they arrive. */
export function* arrivals({ devices, seed, deviceTimes }: FleetOptions): Generator<Arrival> {
  const random = randomFrom(seed)
  const sensors = Array.from({ length: devices }, (_, device) =>
    metrics.map(metric => ({
      ...metric,
      device: `device-${String(device).padStart(3, '0')}`,
      phaseMs: random() * periodMs,
      value: metric.start + (random() - 0.5) * metric.spread,
      offMs: Math.round((random() - 0.5) * 4_000),
    })),
  ).flat()
  for (const device of sensors.values()) device.offMs = sensors[Math.floor(sensors.indexOf(device) / 4) * 4]?.offMs ?? 0
  for (let second = 0; ; second++) {
    const due = sensors.map(sensor => {
      const takenMs = startMs + second * periodMs + sensor.phaseMs + (random() - 0.5) * jitterMs
      const arrivalMs = Math.round(takenMs + 2 + random() * 8)
      sensor.value += (random() - 0.5) * 2 * sensor.step
      const { device, metric, unit } = sensor
      const reading: Arrival = {
        device,
        metric,
        unit,
        value: Number(sensor.value.toFixed(sensor.places)),
        deviceTimeMs: deviceTimes ? Math.round(takenMs) + sensor.offMs : undefined,
        id: undefined,
        arrivalMs,
        joined: false,
      }
      return reading
    })
    yield* due.toSorted((a, b) => a.arrivalMs - b.arrivalMs)
  }
}

/** The same as a log has them: with positions, and with the stamps of a commit every 100 ms. */
export function* logEntries(options: FleetOptions): Generator<ReadingEntry> {
  const known = new Map<string, Series>()
  let seq = 0
  let stamp = 0
  let commit = 0
  for (const { device, metric, unit, ...reading } of arrivals(options)) {
    const name = `${device}/${metric}`
    const series = known.get(name) ?? { id: known.size + 1, table: 'readings', origin: 'gw-1', device, metric, unit }
    known.set(name, series)
    const due = Math.ceil(reading.arrivalMs / commitEveryMs)
    stamp = due === commit ? stamp + 1 : stampAt(due * commitEveryMs)
    commit = due
    yield {
      kind: 'reading',
      seq: asSeq(++seq),
      stamp: stamp as Stamp,
      origin: 'gw-1',
      via: '',
      series,
      boot: undefined,
      ...reading,
    }
  }
}

/** The same numbers from 0 to 1 for the same seed (mulberry32). */
export function randomFrom(seed: number): () => number {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
