/**
 * `npm run bench:pack`: what a stored reading takes on disk, and how fast chunks of columns are written and read. The peers
 * are rows one after another as the log has them (readings.ts), by themselves and compressed, in blocks of as many readings.
 * CPU time, medians of the rounds; both sides in turn, so that both find the compiler in the same mood. Keys, seals and
 * LevelDB's own compression are left out for all.
 */
import { brotliCompressSync, brotliDecompressSync, gunzipSync, gzipSync } from 'node:zlib'
import { parseArgs } from 'node:util'
import { ByteWriter } from '../../runtime/store/bytes.ts'
import { chunkReadingsMax, encodeChunk, openChunk } from '../../runtime/store/chunk.ts'
import { readPackedReadings, writeReadings } from '../../runtime/store/readings.ts'
import { type ReadingEntry, timeOf } from '../../runtime/store/types.ts'
import { progress } from './progress.ts'
import { type Figure, figure, report } from './report.ts'
import { type Shape, plant } from './shapes.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rounds: { type: 'string', default: '5' },
    /** Of the series at 10 Hz. */
    hours: { type: 'string', default: '24' },
  },
})
const rounds = Number(values.rounds)

const fleet = { series: 50, perHour: 3600, hours: 1, packed: chunkReadingsMax, deviceTimes: false, lostPercent: 0 }
const fast = {
  series: 1,
  perHour: 36_000,
  packed: chunkReadingsMax,
  hours: Number(values.hours),
  deviceTimes: false,
  lostPercent: 0,
}
const shapes: readonly Shape[] = [
  { ...fleet, name: '50 series at 1 Hz' },
  { ...fleet, name: '50 series at 1 Hz, device time', deviceTimes: true },
  { ...fleet, name: '50 series at 1 Hz, device time, 1% lost', deviceTimes: true, lostPercent: 1 },
  { ...fleet, name: '50 series at 1 Hz, packed every 10 min', packed: 600 },
  { ...fleet, name: '50 series, 6 an hour, device time', perHour: 6, hours: 24, deviceTimes: true },
  { ...fast, name: 'a series at 10 Hz' },
  { ...fast, name: 'a series at 10 Hz, device time', deviceTimes: true },
]

type Form = {
  readonly write: (entries: readonly ReadingEntry[]) => Buffer
  /** Times and values of a block, summed: what a query does with it. */
  readonly sum: (block: Buffer, first: ReadingEntry) => number
}

const out = new ByteWriter()
function rows(entries: readonly ReadingEntry[]): Buffer {
  writeReadings(out, 'packed', entries)
  return out.take()
}
function sumRows(block: Buffer, first: ReadingEntry): number {
  let sum = 0
  for (const entry of readPackedReadings(block, first.seq, first.series)) sum += timeOf(entry) + (entry.value as number)
  return sum
}

function sumColumns(block: Buffer, first: ReadingEntry): number {
  const chunk = openChunk(block, first.seq, first.series)
  const [times, numbers] = [chunk.times(), chunk.numbers()]
  let sum = 0
  for (let index = 0; index < chunk.count; index++) sum += (times[index] as number) + (numbers?.[index] as number)
  return sum
}

const ours: Form = { write: encodeChunk, sum: sumColumns }
const peers: Readonly<Record<string, Form>> = {
  rows: { write: rows, sum: sumRows },
  'rows, gzip': {
    write: entries => gzipSync(rows(entries)),
    sum: (block, first) => sumRows(gunzipSync(block), first),
  },
  'rows, brotli': {
    write: entries => brotliCompressSync(rows(entries)),
    sum: (block, first) => sumRows(brotliDecompressSync(block), first),
  },
}

function cpuMs(work: () => void): number {
  const before = process.cpuUsage()
  work()
  const { user, system } = process.cpuUsage(before)
  return (user + system) / 1e3
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

type Measured = { readonly bytes: number; readonly writeMs: number; readonly readMs: number }

/** Brotli takes seconds for a round: it is measured once. */
function measure(form: Form, parts: readonly (readonly ReadingEntry[])[], times: number): Measured {
  let blocks: Buffer[] = []
  const [writes, reads]: [number[], number[]] = [[], []]
  let sum = 0
  for (let round = 0; round < times; round++) {
    writes.push(cpuMs(() => (blocks = parts.map(form.write))))
    reads.push(
      cpuMs(() => blocks.forEach((block, index) => (sum += form.sum(block, parts[index]?.[0] as ReadingEntry)))),
    )
  }
  if (!Number.isFinite(sum)) throw new Error('what was read is no number')
  return { bytes: blocks.reduce((all, { length }) => all + length, 0), writeMs: median(writes), readMs: median(reads) }
}

/** As they are packed: by the hour, and no more than a chunk holds. */
function partsOf(entries: readonly ReadingEntry[], length: number): (readonly ReadingEntry[])[] {
  return Array.from({ length: Math.ceil(entries.length / length) }, (_, index) =>
    entries.slice(index * length, (index + 1) * length),
  )
}

const figures: Figure[] = []
const bar = progress(shapes.length * 4, !values.json)
for (const shape of shapes) {
  bar.step(`${shape.name}: columns`)
  const parts = plant(shape).flatMap(entries => partsOf(entries, Math.min(shape.packed, shape.perHour)))
  const count = parts.reduce((all, { length }) => all + length, 0)
  const columns = measure(ours, parts, rounds)
  const perSecond = (ms: number): number => (count / ms) * 1000
  for (const [name, form] of Object.entries(peers)) {
    bar.step(`${shape.name}: ${name}`)
    const peer = measure(form, parts, name === 'rows' ? rounds : 1)
    const title = `${shape.name}; peer: ${name}`
    const isSmall = shape.perHour < 600
    const target = isSmall ? null : { text: 'ours at most 6', holds: (): boolean => columns.bytes / count <= 6 }
    figures.push(figure(`bytes a reading, ${title}`, columns.bytes / count, peer.bytes / count, target))
    if (isSmall && name === 'rows')
      figures.push(figure(`bytes a chunk, ${title}`, columns.bytes / parts.length, peer.bytes / parts.length))
    figures.push(figure(`readings written a CPU second, ${title}`, perSecond(columns.writeMs), perSecond(peer.writeMs)))
    figures.push(figure(`readings summed a CPU second, ${title}`, perSecond(columns.readMs), perSecond(peer.readMs)))
    if (shape.perHour === fast.perHour && name === 'rows') {
      const under30 = { text: 'ours under 30', holds: (): boolean => columns.readMs < 30 }
      figures.push(figure(`ms to sum ${count.toLocaleString('en')}, ${title}`, columns.readMs, peer.readMs, under30))
    }
  }
}
bar.end()
report(
  'pack',
  figures,
  [
    `Medians of ${rounds} rounds. Blocks of an hour, or of ${chunkReadingsMax.toLocaleString('en')} readings where that is less. Values walk at random with two decimals; arrivals are off by some milliseconds.`,
  ],
  values.json,
)
