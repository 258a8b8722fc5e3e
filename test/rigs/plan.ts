/**
 * What the rigs' writer writes, step by step: everything follows from the step's number, so that whoever finds the store
 * later can say exactly what must be in it.
 *
 * One step is one commit: readings, a setting put or deleted, a cursor moved, a state saved. Together or not at all [I3].
 */
import type { Json, Value } from '../../runtime/reading.ts'
import { type Stamp, stampAt, stampPlus } from '../../runtime/stamp.ts'
import { type Arrival, asSeq, type Change, type Stamps, type TableSpec } from '../../runtime/store/types.ts'

export const readingsPerStep = 20
export const tables: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  { name: 'settings', kind: 'records' },
]
const beginMs = Date.UTC(2026, 0, 1)
const settings = 5

/** Changes of step 1, 2, 3 …; `paddingBytes` go into every fifth reading, to fill LevelDB's buffers sooner. */
export function changesOf(step: number, paddingBytes: number): readonly Change[] {
  const key = `key-${step % settings}`
  return [
    { kind: 'append', table: 'readings', readings: readingsOf(step, paddingBytes) },
    isDeletion(step)
      ? { kind: 'delete', table: 'settings', key }
      : { kind: 'put', table: 'settings', key, value: { step } },
    { kind: 'cursor', name: 'uplink', seq: asSeq(step * readingsPerStep) },
    { kind: 'state', owner: 'rules', key: 'last', value: step },
  ]
}

export function readingsOf(step: number, paddingBytes: number): readonly Arrival[] {
  return Array.from({ length: readingsPerStep }, (_, index) =>
    readingOf((step - 1) * readingsPerStep + index + 1, paddingBytes),
  )
}

/** The readings are numbered 1, 2, 3 …; some are known by their device's time, some by an id, some by both. */
function readingOf(number: number, paddingBytes: number): Arrival {
  const hasTime = number % 3 !== 1
  const hasId = number % 3 !== 0
  return {
    device: `device-${number % 7}`,
    metric: hasTime ? 'count' : 'event',
    value: valueOf(number, paddingBytes),
    arrivalMs: beginMs + number * 1000,
    deviceTimeMs: hasTime ? beginMs + number * 1000 - 1 : undefined,
    id: hasId ? `reading-${number}` : undefined,
    unit: undefined,
    // Messages of four readings.
    joined: number % 4 !== 1,
  }
}

function valueOf(number: number, paddingBytes: number): Value {
  return number % 5 === 0 ? `${number} ${padding(number, paddingBytes)}` : number
}

/** Text that no compression makes much smaller. */
function padding(seed: number, bytes: number): string {
  let text = ''
  for (let state = seed * 2_654_435_761; text.length < bytes; ) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += state.toString(36)
  }
  return text.slice(0, bytes)
}

/** The number of the reading that this value belongs to; undefined if no reading has it. */
export function numberOf(value: Value, paddingBytes: number): number | undefined {
  const number = typeof value === 'string' ? Number.parseInt(value, 10) : value
  return typeof number === 'number' && valueOf(number, paddingBytes) === value ? number : undefined
}

/** The rows of `settings` after so many steps. */
export function settingsAfter(steps: number): ReadonlyMap<string, Json> {
  const rows = new Map<string, Json>()
  for (let step = Math.max(1, steps - settings + 1); step <= steps; step++) {
    if (!isDeletion(step)) rows.set(`key-${step % settings}`, { step })
  }
  return rows
}

const isDeletion = (step: number): boolean => step % 11 === 0

/** Stamps without a clock: one after the other. */
export class CountingStamps implements Stamps {
  last: Stamp = stampAt(beginMs)

  take(count: number): Stamp {
    const first = stampPlus(this.last, 1)
    this.last = stampPlus(this.last, count)
    return first
  }

  observe(stamp: Stamp): void {
    if (stamp > this.last) this.last = stamp
  }
}
