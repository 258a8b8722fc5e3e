/** A store that goes through steps of any kind, and what a plain filter over all that it holds would tell. */
import fc from 'fast-check'
import type { Stamp } from '../../runtime/stamp.ts'
import { packEveryMs } from '../../runtime/store/packer.ts'
import type { Store } from '../../runtime/store/store.ts'
import { wildcard } from '../../runtime/store/table.ts'
import {
  type Arrival,
  type Change,
  type Place,
  type ReadingEntry,
  type ReadingQuery,
  seqZero,
  timeOf,
} from '../../runtime/store/types.ts'
import { memoryPlace, specs } from './homes.ts'
import { arrival, startMs } from './suite.ts'

export const hourMs = 3_600_000
const tables = [...specs, { name: 'clock', kind: 'records' as const }]
const boots = ['b1', 'b2'] as const

const anyTimeMs = fc.integer({ min: -3, max: 40 }).map(steps => startMs + steps * 700_000)
const anyArrival = fc.record({
  device: fc.constantFrom('freezer-1', 'freezer-2', 'door'),
  metric: fc.constantFrom('temperature', 'state'),
  unit: fc.constantFrom(undefined, '°C'),
  value: fc.oneof(fc.integer({ min: -5, max: 5 }), fc.boolean(), fc.constant('open')),
  arrivalMs: anyTimeMs,
  boot: fc.constantFrom(undefined, ...boots),
  deviceTimeMs: fc.option(anyTimeMs, { nil: undefined }),
})
export const anyStep = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      kind: fc.constant('append' as const),
      origin: fc.constantFrom(undefined, 'gw-2'),
      readings: fc.array(anyArrival, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 3, arbitrary: fc.constant({ kind: 'pack' as const }) },
  { weight: 1, arbitrary: fc.constant({ kind: 'restart' as const }) },
  {
    weight: 2,
    arbitrary: fc.record({
      kind: fc.constant('correct' as const),
      boot: fc.constantFrom(...boots),
      hours: fc.integer({ min: -30, max: 50 }),
    }),
  },
)
/** A restart forgets what a correction was before it was corrected again. */
export const anyWhilePaging = anyStep.filter(({ kind }) => kind !== 'restart')
type Drawn = typeof anyStep extends fc.Arbitrary<infer T> ? T : never
export type Step = Exclude<Drawn, { kind: 'append' }> | Append

export const anyQuery: fc.Arbitrary<ReadingQuery> = fc.record(
  {
    device: fc.constantFrom('freezer-*', '*', 'door', '*-2', 'none'),
    metric: fc.constantFrom('*', 'temperature', 's*'),
    origin: fc.constantFrom('gw-*', 'gw-2', 'gw-1'),
    unit: fc.constantFrom('', '°C'),
    fromMs: anyTimeMs,
    toMs: anyTimeMs.map(ms => ms + 10 * 700_000),
    order: fc.constantFrom('asc' as const, 'desc' as const),
    limit: fc.integer({ min: 1, max: 12 }),
    where: fc.constantFrom(
      { chooses: ({ value }: { value: unknown }) => typeof value === 'number' && value > 0, isOfSeries: false },
      { chooses: ({ device }: { device: string }) => device.endsWith('1') || undefined, isOfSeries: true },
    ),
  },
  { requiredKeys: [] },
)

type Append = {
  readonly kind: 'append'
  readonly origin: string | undefined
  readonly readings: readonly Partial<Arrival>[]
}

/** A store that has gone through steps; time passes only for packing. */
export class World {
  readonly #place = memoryPlace()
  #nowMs = 0
  #value = 0
  store!: Store

  async open(): Promise<void> {
    this.store = await this.#place.open({ tables, monotonicMs: () => this.#nowMs, origin: 'gw-1' })
  }

  async take(step: Step): Promise<void> {
    switch (step.kind) {
      case 'append':
        await this.store.commit([this.#append(step.readings, step.origin)], 'now')
        return
      case 'pack':
        this.#nowMs += packEveryMs + 1
        for (let more = 0; more < 3; more++)
          await this.store.commit([{ kind: 'state', owner: 'test', key: 'tick', value: ++this.#value }], 'now')
        return
      case 'restart':
        await this.store.close()
        return this.open()
      case 'correct': {
        const offset = step.hours * hourMs + 1234
        const value = {
          offset_ms: offset,
          base_ms: startMs - hourMs,
          at_ms: startMs + 40 * 700_000 + offset,
          source: '',
        }
        await this.store.commit([{ kind: 'put', table: 'clock', key: `gw-1/${step.boot}`, value }], 'now')
      }
    }
  }

  async all(): Promise<readonly ReadingEntry[]> {
    return (await this.store.read('readings', seqZero, 1_000_000)) as readonly ReadingEntry[]
  }

  #append(readings: readonly Partial<Arrival>[], origin: string | undefined): Change {
    // Ids tell apart what else would be repetitions.
    const arrivals = readings.map(fields => arrival({ ...fields, id: `${this.#value++}` }))
    if (origin === undefined) return { kind: 'append', table: 'readings', readings: arrivals }
    const ofPeer = arrivals.map(each => ({ ...each, origin, boot: undefined, stamp: this.#value++ as Stamp }))
    return { kind: 'apply-readings', table: 'readings', via: origin, readings: ofPeer }
  }
}

export function naive(all: readonly ReadingEntry[], query: ReadingQuery): readonly ReadingEntry[] {
  const { device = '*', metric = '*', origin = '*', unit, fromMs = 0, toMs = 1e18, where, order, limit = 1e9 } = query
  const { afterSeq = 0, throughSeq = 1e9 } = query
  const found = all
    .filter(({ series }) => wildcard(device)(series.device) && wildcard(metric)(series.metric))
    .filter(({ series }) => wildcard(origin)(series.origin) && (unit === undefined || unit === (series.unit ?? '')))
    .filter(entry => timeOf(entry) >= fromMs && timeOf(entry) < toMs)
    .filter(({ seq }) => seq > afterSeq && seq <= throughSeq)
    .filter(
      entry => where?.chooses({ ...entry.series, value: entry.value, timeMs: timeOf(entry) }) ?? where === undefined,
    )
    .toSorted((a, b) => timeOf(a) - timeOf(b) || a.seq - b.seq)
  if (order === undefined) return found.slice(Math.max(0, found.length - limit))
  return (order === 'asc' ? found : found.toReversed()).slice(0, limit)
}

export const told = (entries: readonly ReadingEntry[]) =>
  entries.map(({ seq, value, arrivalMs, deviceTimeMs, id, boot, series }) => ({
    seq,
    value,
    arrivalMs,
    deviceTimeMs,
    id,
    boot,
    device: series.device,
    origin: series.origin,
  }))

export const placeOf = (entry: ReadingEntry): Place => ({ timeMs: timeOf(entry), seq: entry.seq })
