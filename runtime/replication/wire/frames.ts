/**
 * Frames: entries as they travel. Rows are arrays; names that repeat (origins, series) stand once in a dictionary.
 *
 *   { v, session, run, after, last, head, part: [index, of], gaps: [[first, last, reason]], origins: [text],
 *     series: [[origin, device, metric, unit]], readings: [[seq - after, joined, stamp, series, arrivalMs, value, deviceTimeMs, id, boot?]] }
 *   { v, session, run, after, last, head, part, gaps, origins, records: [[seq - after, joined, stamp, origin, key, value?, json?]] }
 *
 * A record without a value is a deletion. A large value whose JSON is shorter than its CBOR (many short decimals)
 * travels as JSON text, with null in the value's place. `joined` is 1 where an entry belongs to the same transaction as the one
 * before it in the frame. A decoded frame is wholly checked: numbers in range, references resolved, order ascending.
 */
import type { Json, Value } from '../../reading.ts'
import type { Stamp } from '../../stamp.ts'
import type { Entry, PeerReading, PeerRecord, ReadingEntry, RecordEntry, Seq, TableKind } from '../../store/types.ts'
import {
  type Decoded,
  type Fields,
  asCount,
  asList,
  asNumber,
  asPeer,
  asPosition,
  asText,
  decodeMessage,
  encodeMessage,
  encodedBytes,
  optional,
  textBytes,
  wrongShape,
} from './codec.ts'
import {
  cborDepthMax,
  messageBytesMax,
  frameRowsMax,
  gapsPerFrameMax,
  reasonBytesMax,
  transactionPartsMax,
} from '../limits.ts'
import { protocolVersion } from './protocol.ts'

export type Gap = { readonly first: Seq; readonly last: Seq; readonly reason: string }

/** Where a frame stands in its stream. */
export type FrameHead = {
  readonly session: string
  readonly run: number
  readonly after: Seq
  readonly last: Seq
  /** The sender's newest position: how far behind the receiver is. */
  readonly head: Seq
  /** A transaction too large for one message comes in parts: this is part `part` of `parts`, from 0. */
  readonly part: number
  readonly parts: number
  readonly gaps: readonly Gap[]
  /** Of a frame that goes before its turn: where the live part that it belongs to begins. */
  readonly base?: Seq | undefined
}

export type FrameReading = PeerReading & { readonly seq: Seq }
export type FrameRecord = PeerRecord & { readonly seq: Seq }
export type FrameRow = FrameReading | FrameRecord

export type Frame = FrameHead & { readonly rows: readonly FrameRow[] }

/** An entry to be sent, and whether it belongs with the entry sent before it. */
export type SentEntry = { readonly entry: ReadingEntry | RecordEntry; readonly joined: boolean }

/** `withBoots`: the far side knows the ninth field of a reading; one of before it refuses the frame. */
export function encodeFrame(kind: TableKind, head: FrameHead, sent: readonly SentEntry[], withBoots = false): Buffer {
  const origins = new Dictionary<string>()
  const series = new Dictionary<object>()
  const rows = sent.map(({ entry, joined }) => {
    const start = [entry.seq - head.after, joined ? 1 : 0, entry.stamp]
    if (entry.kind === 'record') {
      const row = [...start, origins.indexOf(entry.origin), entry.key]
      if (entry.value === undefined) return row
      const json = shorterJson(entry.value)
      return json === undefined ? [...row, entry.value] : [...row, null, json]
    }
    const index = series.indexOf(entry.series)
    const row = [...start, index, entry.arrivalMs, entry.value, entry.deviceTimeMs ?? null, entry.id ?? null]
    return withBoots && entry.boot !== undefined ? [...row, entry.boot] : row
  })
  const seriesRows = (series.values as readonly ReadingEntry['series'][]).map(one => [
    origins.indexOf(one.origin),
    one.device,
    one.metric,
    one.unit ?? null,
  ])
  return encodeMessage({
    ...headFields(head),
    origins: origins.values,
    ...(kind === 'series' ? { series: seriesRows, readings: rows } : { records: rows }),
  })
}

/** What a frame says of itself, in either form. */
export const headFields = ({ session, run, after, last, head, part, parts, gaps, base }: FrameHead): object => ({
  v: protocolVersion,
  session,
  run,
  after,
  last,
  head,
  part: [part, parts],
  gaps: gaps.map(gap => [gap.first, gap.last, gap.reason]),
  ...(base === undefined ? {} : { base }),
})

const largeValueBytes = 16 * 1024

function shorterJson(value: Json | undefined): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const bytes = encodedBytes(value)
  if (bytes < largeValueBytes) return undefined
  const json = JSON.stringify(value)
  return textBytes(json) < bytes ? json : undefined
}

/** At most how many bytes an entry adds to a frame, without what stands in the dictionaries. */
export function rowBytesMax(entry: Entry): number {
  if (entry.kind === 'gap') return 18 + textBytes(entry.reason)
  if (entry.kind === 'record') {
    const json = shorterJson(entry.value)
    return 24 + textBytes(entry.key) + (json === undefined ? encodedBytes(entry.value) : 1 + textBytes(json))
  }
  return 42 + encodedBytes(entry.value) + (entry.id === undefined ? 1 : textBytes(entry.id))
}

/** At most how many bytes an entry's names add to the dictionaries, if they are not in there yet. */
export function namesBytesMax(entry: Entry): number {
  if (entry.kind !== 'reading') return textBytes(entry.origin)
  const { origin, device, metric, unit } = entry.series
  return 4 + textBytes(origin) + textBytes(device) + textBytes(metric) + textBytes(unit ?? '')
}

export const decodeFrame = (bytes: Uint8Array, kind: TableKind): Decoded<Frame> =>
  decodeMessage(bytes, fields => {
    const head = readHead(fields)
    const origins = asList(fields['origins'], 'origins', frameRowsMax).map(origin => asPeer(origin, 'origin'))
    const read =
      kind === 'series' ? readReadings(fields, origins, head.after) : readRecords(fields, origins, head.after)
    return { ...head, rows: inOrder<FrameRow>(read, head) }
  })

export function readHead(fields: Fields): FrameHead {
  const after = asPosition(fields['after'], 'after')
  const last = asPosition(fields['last'], 'last')
  const [part, parts] = asList(fields['part'], 'part', 2).map(number => asCount(number, 'part'))
  if (last <= after) wrongShape('last', 'greater than after')
  if (part === undefined || parts === undefined || part >= parts || parts > transactionPartsMax) {
    wrongShape('part', 'a part of a few')
  }
  return {
    session: asText(fields['session'], 'session', 64),
    run: asCount(fields['run'], 'run'),
    after,
    last,
    head: asPosition(fields['head'], 'head'),
    part,
    parts,
    ...(fields['base'] === undefined ? {} : { base: asPosition(fields['base'], 'base') }),
    gaps: asList(fields['gaps'], 'gaps', gapsPerFrameMax).map(gap => {
      const [first, lost, reason] = asList(gap, 'gap', 3)
      return {
        first: asPosition(first, 'gap.first'),
        last: asPosition(lost, 'gap.last'),
        reason: asText(reason, 'gap.reason', reasonBytesMax),
      }
    }),
  }
}

function readReadings(fields: Fields, origins: readonly string[], after: Seq): FrameReading[] {
  const series = asList(fields['series'], 'series', frameRowsMax).map(item => {
    const [origin, device, metric, unit] = asList(item, 'series', 4)
    return {
      origin: referred(origins, origin, 'series.origin'),
      device: asText(device, 'series.device'),
      metric: asText(metric, 'series.metric'),
      unit: optional(unit, present => asText(present, 'series.unit')),
    }
  })
  return asList(fields['readings'], 'readings', frameRowsMax).map(item => {
    const row = asList(item, 'reading', 9)
    const { origin, device, metric, unit } = referred(series, row[3], 'reading.series')
    return {
      ...readStart(row, after),
      origin,
      device,
      metric,
      unit,
      arrivalMs: Math.round(asNumber(row[4], 'reading.arrivalMs')),
      value: asValue(row[5]),
      deviceTimeMs: optional(row[6], time => Math.round(asNumber(time, 'reading.deviceTimeMs'))),
      id: optional(row[7], id => asText(id, 'reading.id')),
      boot: optional(row[8], boot => asText(boot, 'reading.boot', 64)),
    }
  })
}

function readRecords(fields: Fields, origins: readonly string[], after: Seq): FrameRecord[] {
  return asList(fields['records'], 'records', frameRowsMax).map(item => {
    const row = asList(item, 'record', 7)
    return {
      ...readStart(row, after),
      origin: referred(origins, row[3], 'record.origin'),
      key: asText(row[4], 'record.key'),
      value: row.length > 6 ? asJson(row[6]) : row.length > 5 ? (row[5] as Json) : undefined,
    }
  })
}

function readStart(row: readonly unknown[], after: Seq): { seq: Seq; joined: boolean; stamp: Stamp } {
  return {
    seq: asPosition(after + asCount(row[0], 'row.seq'), 'row.seq'),
    joined: asCount(row[1], 'row.joined') === 1,
    stamp: asCount(row[2], 'row.stamp') as Stamp,
  }
}

/** JSON text may be no deeper than what the scan lets through: what walks a value calls itself for each level. */
function asJson(value: unknown): Json {
  const json = parseJson(asText(value, 'record.json', messageBytesMax))
  return json === undefined || isDeeper(json, cborDepthMax) ? wrongShape('record.json', 'JSON of some depth') : json
}

function parseJson(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json
  } catch {
    return undefined // not JSON: the caller refuses it
  }
}

const isDeeper = (value: Json, depthMax: number): boolean =>
  typeof value === 'object' &&
  value !== null &&
  (depthMax === 0 || Object.values(value as object).some((inner: Json) => isDeeper(inner, depthMax - 1)))

function asValue(value: unknown): Value {
  if (value === null || value === undefined) wrongShape('reading.value', 'a number, boolean, text or object')
  return value as Value
}

function referred<T>(values: readonly T[], index: unknown, where: string): T {
  return values[asCount(index, where)] ?? wrongShape(where, 'in its dictionary')
}

function inOrder<T extends FrameRow>(rows: readonly T[], head: FrameHead): readonly T[] {
  let before: number = head.after
  for (const row of rows) {
    if (row.seq <= before || row.seq > head.last) wrongShape('row.seq', 'in ascending order within its frame')
    before = row.seq
  }
  return rows
}

/** Values in order of their first use, each once. */
export class Dictionary<T> {
  readonly values: T[] = []
  readonly #places = new Map<T, number>()

  indexOf(value: T): number {
    const known = this.#places.get(value)
    if (known !== undefined) return known
    const place = this.values.push(value) - 1
    this.#places.set(value, place)
    return place
  }
}
