/**
 * What is stored for the benchmark of queries: one device at 10 Hz, and 1,000 devices every ten seconds, for as long as
 * makes the number of readings that is asked for. In the order in which they come, each
 * some milliseconds early or late; the values walk, with two decimals.
 */
import { randomFrom } from './fleet.ts'

export const fastDevice = 'vibration-1'
export const metric = 'level'
export const slowDevices = 1_000
export const slowDevice = (device: number): string => `sensor-${String(device).padStart(4, '0')}`

/** 11 readings each tenth of a second. */
const tickMs = 100
const slowPerTick = 10
const perTick = 1 + slowPerTick
/** Of a tick, so that no reading comes before the one that is due before it. */
const jitterMs = Math.floor(tickMs / perTick)

export type Stored = { readonly device: string; readonly timeMs: number; readonly value: number }

export const startMs = Date.UTC(2026, 4, 1)
export const endMs = (count: number): number => startMs + Math.ceil(count / perTick) * tickMs

export function* readings(count: number): Generator<Stored> {
  const random = randomFrom(5)
  const names = Array.from({ length: slowDevices }, (_, device) => slowDevice(device))
  const values = new Float64Array(slowDevices + 1)
  const next = (device: number): number => {
    values[device] = (values[device] ?? 0) + (random() - 0.5)
    // Not -0, which SQLite does not know.
    return Math.round((values[device] ?? 0) * 100) / 100 + 0
  }
  let left = count
  for (let tick = 0; left > 0; tick++) {
    const due = (turn: number): number => startMs + tick * tickMs + turn * jitterMs + Math.floor(random() * jitterMs)
    yield { device: fastDevice, timeMs: due(0), value: next(slowDevices) }
    left--
    for (let turn = 0; turn < slowPerTick && left > 0; turn++, left--) {
      const device = (tick * slowPerTick + turn) % slowDevices
      yield { device: names[device] ?? '', timeMs: due(1 + turn), value: next(device) }
    }
  }
}
