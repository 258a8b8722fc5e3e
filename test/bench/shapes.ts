/**
 * What a plant stores, as the log has it: series of one pace in the order in which their readings arrive, with jitter,
 * losses and the stamps of commits a tenth of a second apart. Seeded, so that every run measures the same bytes.
 */
import { type Stamp, stampAt } from '../../runtime/stamp.ts'
import { type ReadingEntry, type Series, asSeq } from '../../runtime/store/types.ts'
import { randomFrom } from './fleet.ts'

export type Shape = {
  readonly name: string
  readonly series: number
  readonly perHour: number
  readonly hours: number
  /** So many of a series are packed together, if there are so many in an hour. */
  readonly packed: number
  /** Whether devices send their own time; their clocks are off by up to some seconds each. */
  readonly deviceTimes: boolean
  /** Of a hundred readings, how many never come. */
  readonly lostPercent: number
}

const startMs = Date.UTC(2026, 4, 1)
const hourMs = 3_600_000
const jitterMs = 6
const commitEveryMs = 100

/** The readings of each series, which is how they are packed. */
export function plant(shape: Shape): readonly (readonly ReadingEntry[])[] {
  const random = randomFrom(1)
  const due = Array.from({ length: shape.series }, (_, id) => arrivalsOf(shape, id, random)).flat()
  due.sort((a, b) => a.arrivalMs - b.arrivalMs)
  const ofSeries = new Map<Series, ReadingEntry[]>()
  let [seq, stamp, commitMs] = [0, 0, 0]
  for (const arrival of due) {
    if (arrival.arrivalMs < commitMs) stamp++
    else {
      commitMs = arrival.arrivalMs + commitEveryMs + Math.round(random() * 4)
      stamp = stampAt(commitMs)
    }
    const { kind, origin, via, joined, series, value, arrivalMs, deviceTimeMs, id, boot } = arrival
    // Written out as the store makes them: copies of objects are several times slower to read.
    const entry: ReadingEntry = {
      kind,
      seq: asSeq(++seq),
      stamp: stamp as Stamp,
      origin,
      via,
      joined,
      series,
      value,
      arrivalMs,
      deviceTimeMs,
      id,
      boot,
    }
    const own = ofSeries.get(entry.series)
    if (own) own.push(entry)
    else ofSeries.set(entry.series, [entry])
  }
  return [...ofSeries.values()]
}

type Due = Omit<ReadingEntry, 'seq' | 'stamp'>

function arrivalsOf({ perHour, hours, deviceTimes, lostPercent }: Shape, id: number, random: () => number): Due[] {
  const series = { id, table: 'readings', origin: 'gw-1', device: `device-${id}`, metric: 'temperature', unit: '°C' }
  const periodMs = hourMs / perHour
  const phaseMs = random() * periodMs
  const offMs = Math.round((random() - 0.5) * 4_000)
  let value = 21
  const due: Due[] = []
  for (let index = 0; index < hours * perHour; index++) {
    const takenMs = startMs + phaseMs + index * periodMs + (random() - 0.5) * jitterMs
    value += (random() - 0.5) * 0.3
    if (random() * 100 < lostPercent) continue
    due.push({
      kind: 'reading',
      origin: 'gw-1',
      via: '',
      joined: false,
      series,
      value: Number(value.toFixed(2)),
      arrivalMs: Math.round(takenMs + 2 + random() * 4),
      deviceTimeMs: deviceTimes ? Math.round(takenMs) + offMs : undefined,
      id: undefined,
      boot: undefined,
    })
  }
  return due
}
