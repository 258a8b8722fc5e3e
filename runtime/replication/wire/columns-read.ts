/**
 * Takes a frame in columns apart (columns.ts writes it).
 *
 * Nothing of it is believed: every number has a bound, every reference is looked up, every count was announced and is
 * there. The work is bounded by the rows that it may have at most, and it never throws but what `decodeMessage` turns
 * into a refusal.
 */
import type { Json, Value } from '../../reading.ts'
import type { Stamp } from '../../stamp.ts'
import { ByteReader } from '../../store/bytes.ts'
import type { Seq } from '../../store/types.ts'
import {
  type Decoded,
  type Fields,
  asCount,
  asList,
  asPeer,
  asText,
  decodeMessage,
  decodeValue,
  optional,
  wrongShape,
} from './codec.ts'
import { forms, scales, wholeMax } from './columns.ts'
import { type Frame, type FrameReading, readHead } from './frames.ts'
import { rowsMax } from '../limits.ts'

/** Reads the body of a frame in columns, uncompressed. */
export function decodeColumns(body: Buffer): Decoded<Frame> {
  const read = new ByteReader(body)
  let front: Buffer
  try {
    front = read.bytes()
  } catch (error) {
    if (error instanceof RangeError) return { ok: false, refused: 'columns', detail: error.message }
    throw error
  }
  return decodeMessage(front, fields => {
    try {
      return readFrame(fields, read)
    } catch (error) {
      if (error instanceof RangeError) wrongShape('columns', `whole: ${error.message}`)
      throw error
    }
  })
}

type Names = Pick<FrameReading, 'origin' | 'device' | 'metric' | 'unit'>

function readFrame(fields: Fields, read: ByteReader): Frame {
  const head = readHead(fields)
  const count = asCount(fields['rows'], 'rows')
  const seriesCount = asCount(fields['series'], 'series')
  if (count > rowsMax) wrongShape('rows', `at most ${rowsMax}`)
  if (seriesCount > count) wrongShape('series', 'at most one for each row')
  const boots = optional(fields['boots'], list => asList(list, 'boots', rowsMax).map(boot => asText(boot, 'boot', 64)))

  const series = readSeries(fields, read, seriesCount)
  const valueForms = Array.from({ length: seriesCount }, () => read.byte())
  const seqs = readSparse(read, count)
  const joined = readRuns(read, count)
  const places = readPlaces(read, count, seriesCount)
  const stamps = readSparse(read, count)
  const arrivals = new Float64Array(count)
  for (let index = 0; index < count; index++) arrivals[index] = (arrivals[index - 1] ?? 0) + read.signed()
  const times = readDeviceTimes(read, arrivals, places, series)
  const values = readValues(read, places, valueForms, series)
  const hasId = readRuns(read, count)
  const ids = readIds(read, hasId)
  const bootSteps = boots === undefined ? undefined : readSparse(read, count)
  if (!read.done) wrongShape('columns', 'ended where the last of them ends')

  const rows: FrameReading[] = []
  let seq: number = head.after
  let stamp = -1
  let boot = 0
  for (let index = 0; index < count; index++) {
    seq += (seqs[index] as number) + 1
    stamp += (stamps[index] as number) + 1
    boot += bootSteps?.[index] ?? 0
    const step = seqs[index] as number
    if (step < 0 || seq > head.last) wrongShape('row.seq', 'in ascending order within its frame')
    if (!Number.isSafeInteger(stamp) || stamp < 0) wrongShape('row.stamp', 'a whole number')
    const { origin, device, metric, unit } = series[places[index] as number] as Names
    rows.push({
      seq: seq as Seq,
      joined: joined[index] === 1,
      stamp: stamp as Stamp,
      origin,
      device,
      metric,
      unit,
      arrivalMs: asTime(arrivals[index] as number),
      value: values[index] as Value,
      deviceTimeMs: times[index],
      id: ids[index],
      boot: boot === 0 ? undefined : (boots?.[boot - 1] ?? wrongShape('row.boot', 'in its dictionary')),
    })
  }
  return { ...head, rows }
}

function readIds(read: ByteReader, has: Uint8Array): (string | undefined)[] {
  if (!has.includes(1)) return []
  return Array.from(has, one => (one === 1 ? asText(read.text(), 'reading.id') : undefined))
}

function readSeries(fields: Fields, read: ByteReader, count: number): Names[] {
  const origins = asList(fields['origins'], 'origins', count).map(origin => asPeer(origin, 'origin'))
  const [devices, metrics, units] = (['devices', 'metrics', 'units'] as const).map(name =>
    asList(fields[name], name, count).map(text => asText(text, name)),
  ) as [string[], string[], string[]]
  const ofOrigins = Array.from({ length: count }, () => read.varint())
  let device = -1
  const ofDevices = Array.from({ length: count }, () => (device += read.signed() + 1))
  const ofMetrics = Array.from({ length: count }, () => read.varint())
  const ofUnits = Array.from({ length: count }, () => read.varint())
  return ofOrigins.map((origin, index) => {
    const unit = ofUnits[index] as number
    return {
      origin: origins[origin] ?? wrongShape('series.origin', 'in its dictionary'),
      device: devices[ofDevices[index] as number] ?? wrongShape('series.device', 'in its dictionary'),
      metric: metrics[ofMetrics[index] as number] ?? wrongShape('series.metric', 'in its dictionary'),
      unit: unit === 0 ? undefined : (units[unit - 1] ?? wrongShape('series.unit', 'in its dictionary')),
    }
  })
}

function readSparse(read: ByteReader, count: number): Float64Array {
  const numbers = new Float64Array(count)
  for (let index = 0; index < count; index++) {
    index += read.varint()
    if (index > count) wrongShape('column', 'as long as there are rows')
    if (index < count) numbers[index] = read.signed()
  }
  return numbers
}

/** 1 for yes, 0 for no. */
function readRuns(read: ByteReader, count: number): Uint8Array {
  const flags = new Uint8Array(count)
  let is = false
  for (let index = 0; index < count; is = !is) {
    const run = read.varint()
    if (run > count - index || (run === 0 && index > 0)) wrongShape('column', 'as long as there are rows')
    if (is) flags.fill(1, index, index + run)
    index += run
  }
  return flags
}

function readPlaces(read: ByteReader, count: number, series: number): Uint32Array {
  const places = new Uint32Array(count)
  let place = -1
  for (let index = 0; index < count; index++) {
    place += read.signed() + 1
    if (place >= series) place -= series
    if (!(place >= 0 && place < series)) wrongShape('row.series', 'in its dictionary')
    places[index] = place
  }
  return places
}

function readDeviceTimes(
  read: ByteReader,
  arrivals: Float64Array,
  places: Uint32Array,
  series: readonly Names[],
): (number | undefined)[] {
  const has = readRuns(read, arrivals.length)
  if (!has.includes(1)) return []
  const isChange = read.byte()
  if (isChange > 1) wrongShape('device times', 'told in a known way')
  const last = new Map<string, number>()
  return Array.from(has, (hasTime, index) => {
    if (hasTime === 0) return undefined
    const { device } = series[places[index] as number] as Names
    let lag = read.signed()
    if (isChange === 1) {
      lag += last.get(device) ?? 0
      last.set(device, lag)
    }
    return asTime((arrivals[index] as number) - lag)
  })
}

function readValues(
  read: ByteReader,
  places: Uint32Array,
  valueForms: readonly number[],
  series: readonly Names[],
): Value[] {
  const formAt = Array.from(places, place => valueForms[place] as number)
  formAt.forEach((form, index) => {
    if (form === forms.each) formAt[index] = read.byte()
  })
  const values: Value[] = Array.from({ length: places.length })
  const last = new Float64Array(series.length).fill(Number.NaN)
  const firsts = new Map<string, number>()
  const others: number[] = []
  for (let index = 0; index < places.length; index++) {
    const form = formAt[index] as number
    if (form > forms.placesMax) {
      others.push(index)
      continue
    }
    const place = places[index] as number
    const isAlone = valueForms[place] === forms.each
    let scaled = read.signed()
    if (!isAlone) {
      const { metric } = series[place] as Names
      const before = last[place] as number
      const isFirst = Number.isNaN(before)
      scaled += isFirst ? (firsts.get(metric) ?? 0) : before
      if (isFirst) firsts.set(metric, scaled)
      last[place] = scaled
    }
    if (Math.abs(scaled) > wholeMax) wrongShape('reading.value', 'a decimal of some digits')
    values[index] = scaled / (scales[form] as number)
  }
  // In the order of their forms, so that like stands with like.
  for (const form of [forms.single, forms.double, forms.false, forms.true, forms.text, forms.cbor]) {
    for (const index of others) if (formAt[index] === form) values[index] = readValue(read, form)
  }
  for (const index of others) if (values[index] === undefined) wrongShape('reading.value', 'in a known form')
  return values
}

function readValue(read: ByteReader, form: number): Value {
  switch (form) {
    case forms.single:
      return asFinite(read.single())
    case forms.double:
      return asFinite(read.double())
    case forms.text:
      return read.text()
    case forms.cbor:
      return decodeValue(read.bytes()) as Exclude<Json, null>
    default:
      return form === forms.true
  }
}

const asFinite = (number: number): number =>
  Number.isFinite(number) ? number : wrongShape('reading.value', 'a finite number')

const asTime = (ms: number): number => (Math.abs(ms) <= wholeMax ? ms : wrongShape('reading.time', 'a time'))
