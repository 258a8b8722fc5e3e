/**
 * Readings in columns: the dense form of a frame of a series table, for a far side that accepts it.
 *
 *   varint length, head       a CBOR map: what a frame in rows says of itself, and what repeats, once each:
 *                             { v, session, run, after, last, head, part, gaps, origins, devices, metrics, units, boots?,
 *                               series: count, rows: count }
 *   columns of the series     origins · devices · metrics · units · forms
 *   columns of the rows       positions · joined · series · stamps · arrivals · device times · values · ids · boots
 *
 * Rows keep the order of the log. Each column tells what differs from what was to be expected (the next position, the
 * series that came next the last time round, the stamp after the last one, the value before of the same series), so that
 * most of it is zeros and ones, which compress to almost nothing. How each is laid out stands at its writer here, and
 * at greater length in docs/replication.md; columns-read.ts takes it apart again.
 *
 * Promises: what it encodes is read back exactly, to the sign of a zero; what it can't hold exactly it leaves to rows.
 */
import { ByteWriter } from '../../store/bytes.ts'
import type { ReadingEntry, Series } from '../../store/types.ts'
import { encodeMessage, encodeValue } from './codec.ts'
import { Dictionary, type FrameHead, type SentEntry, headFields } from './frames.ts'

/** How a value is laid out. 0 to 6 are decimals: a whole number, to be divided by that power of ten. */
export const forms = { placesMax: 6, single: 7, double: 8, false: 9, true: 10, text: 11, cbor: 12, each: 15 } as const

/** What a decimal is divided by; a power worked out for each value would cost more than all the rest. */
export const scales = [1, 10, 100, 1e3, 1e4, 1e5, 1e6] as const

/** Whole numbers up to here can be subtracted from each other, and their differences written, without loss. */
export const wholeMax = 2 ** 50

/** Undefined if something in it does not fit columns (a time beyond all reason): it goes in rows then. */
export function encodeColumns(head: FrameHead, sent: readonly SentEntry[]): Buffer | undefined {
  const entries = sent.map(({ entry }) => entry as ReadingEntry)
  if (!entries.every(hasPlainTimes)) return undefined
  const known = new Dictionary<Series>()
  const places = entries.map(entry => known.indexOf(entry.series))
  const series = known.values
  const [origins, devices, metrics, units] = [0, 1, 2, 3].map(() => new Dictionary<string>()) as Names
  const boots = new Dictionary<string>()
  const bootPlaces = entries.map(({ boot }) => (boot === undefined ? 0 : boots.indexOf(boot) + 1))
  const valueForms = formsOf(entries, places, series.length)

  const out = new ByteWriter(16 * 1024)
  for (const one of series) out.varint(origins.indexOf(one.origin))
  let before = -1
  for (const { device } of series) {
    const place = devices.indexOf(device)
    out.signed(place - before - 1)
    before = place
  }
  for (const one of series) out.varint(metrics.indexOf(one.metric))
  for (const { unit } of series) out.varint(unit === undefined ? 0 : units.indexOf(unit) + 1)
  for (let index = 0; index < series.length; index++) out.byte(valueForms[index] as number)

  const count = entries.length
  writeSparse(out, count, nextPositions(entries, head.after))
  writeRuns(out, count, index => (sent[index] as SentEntry).joined)
  writePlaces(out, places, series.length)
  writeSparse(out, count, nextStamps(entries))
  writeArrivals(out, entries)
  writeDeviceTimes(
    out,
    entries,
    deviceOf(
      places,
      series.map(({ device }) => devices.indexOf(device)),
    ),
  )
  writeValues(out, entries, places, valueForms, series)
  writeRuns(out, count, index => (entries[index] as ReadingEntry).id !== undefined)
  for (const { id } of entries) if (id !== undefined) out.text(id)
  if (boots.values.length > 0)
    writeSparse(out, count, index => (bootPlaces[index] as number) - (bootPlaces[index - 1] ?? 0))

  const front = encodeMessage({
    ...headFields(head),
    origins: origins.values,
    devices: devices.values,
    metrics: metrics.values,
    units: units.values,
    ...(boots.values.length > 0 ? { boots: boots.values } : {}),
    series: series.length,
    rows: count,
  })
  const start = new ByteWriter(front.length + 8)
  start.bytes(front)
  return Buffer.concat([start.take(), out.take()])
}

type Names = [Dictionary<string>, Dictionary<string>, Dictionary<string>, Dictionary<string>]

const hasPlainTimes = ({ arrivalMs, deviceTimeMs }: ReadingEntry): boolean =>
  Math.abs(arrivalMs) <= wholeMax && (deviceTimeMs === undefined || Math.abs(deviceTimeMs) <= wholeMax)

/** Mostly zeros: how many of them, then a number that is none, and so on. */
function writeSparse(out: ByteWriter, count: number, at: (index: number) => number): void {
  let zeros = 0
  for (let index = 0; index < count; index++) {
    const number = at(index)
    if (number === 0) zeros++
    else {
      out.varint(zeros)
      out.signed(number)
      zeros = 0
    }
  }
  if (zeros > 0) out.varint(zeros)
}

/** Yes or no in runs: how many no, how many yes, and so on. */
function writeRuns(out: ByteWriter, count: number, at: (index: number) => boolean): void {
  let is = false
  let run = 0
  for (let index = 0; index < count; index++) {
    if (at(index) !== is) {
      out.varint(run)
      run = 0
      is = !is
    }
    run++
  }
  if (count > 0) out.varint(run)
}

function nextPositions(entries: readonly ReadingEntry[], after: number): (index: number) => number {
  return index => (entries[index] as ReadingEntry).seq - (entries[index - 1]?.seq ?? after) - 1
}

/** What is committed together has neighbouring stamps. The first is told whole. */
function nextStamps(entries: readonly ReadingEntry[]): (index: number) => number {
  return index => (entries[index] as ReadingEntry).stamp - (entries[index - 1]?.stamp ?? -1) - 1
}

/** The series after the one before, in the order in which they first came; devices that take turns cost nothing. */
function writePlaces(out: ByteWriter, places: readonly number[], count: number): void {
  let before = -1
  for (const place of places) {
    let step = place - before - 1
    if (step < -count / 2) step += count
    out.signed(step)
    before = place
  }
}

function writeArrivals(out: ByteWriter, entries: readonly ReadingEntry[]): void {
  let before = 0
  for (const { arrivalMs } of entries) {
    const ms = Math.round(arrivalMs)
    out.signed(ms - before)
    before = ms
  }
}

/** The device of each row, by its place in the dictionary. */
const deviceOf = (places: readonly number[], devices: readonly number[]): number[] =>
  places.map(place => devices[place] as number)

/**
 * Which readings have one; then a byte that says how they are told, whichever is shorter: 0 how long before its arrival,
 * 1 how much longer or shorter than the last one of the same device (a clock that is off, a device that is slow).
 */
function writeDeviceTimes(out: ByteWriter, entries: readonly ReadingEntry[], devices: readonly number[]): void {
  writeRuns(out, entries.length, index => (entries[index] as ReadingEntry).deviceTimeMs !== undefined)
  const lags: number[] = []
  const changes: number[] = []
  const last: number[] = []
  let gain = 0
  for (let index = 0; index < entries.length; index++) {
    const { arrivalMs, deviceTimeMs } = entries[index] as ReadingEntry
    if (deviceTimeMs === undefined) continue
    const lag = Math.round(arrivalMs) - Math.round(deviceTimeMs)
    const device = devices[index] as number
    const change = lag - (last[device] ?? 0)
    last[device] = lag
    lags.push(lag)
    changes.push(change)
    gain += bits(lag) - bits(change)
  }
  if (lags.length === 0) return
  out.byte(gain > 0 ? 1 : 0)
  for (const number of gain > 0 ? changes : lags) out.signed(number)
}

const bits = (number: number): number => Math.log2(Math.abs(number) + 1)

/** One form for all values of a series where there is one. */
function formsOf(entries: readonly ReadingEntry[], places: readonly number[], series: number): Uint8Array {
  const decimals = new Int8Array(series)
  const largest = new Float64Array(series)
  // What all values of a series are: 1 decimals, 2 singles, 4 numbers, 8 texts, 16 anything that CBOR can hold.
  const all = new Uint8Array(series).fill(31)
  for (let index = 0; index < entries.length; index++) {
    const { value } = entries[index] as ReadingEntry
    const place = places[index] as number
    all[place] = (all[place] as number) & kindOf(value)
    if (typeof value !== 'number') continue
    if (Math.abs(value) > (largest[place] as number)) largest[place] = Math.abs(value)
    const found = decimalPlaces(value, decimals[place] as number)
    if (found < 0) all[place] = all[place] & ~1
    else decimals[place] = found
  }
  return all.map((kind, place) => {
    const places = decimals[place] as number
    if (kind & 1 && (largest[place] as number) * (scales[places] as number) <= wholeMax) return places
    return kind & 2
      ? forms.single
      : kind & 4
        ? forms.double
        : kind & 8
          ? forms.text
          : kind & 16
            ? forms.cbor
            : forms.each
  })
}

function kindOf(value: ReadingEntry['value']): number {
  if (typeof value === 'number') return Math.fround(value) === value ? 7 : 5
  return typeof value === 'string' ? 8 : typeof value === 'boolean' ? 0 : 16
}

/** How many decimals hold the number exactly, from `least` up; -1 if so few don't. */
function decimalPlaces(value: number, least: number): number {
  for (let places = least; places <= forms.placesMax; places++) {
    const scale = scales[places] as number
    const scaled = Math.round(value * scale)
    if (Math.abs(scaled) > wholeMax) return -1
    if (scaled / scale === value) return Object.is(scaled, -0) ? -1 : places
  }
  return -1
}

/**
 * Where a series has no one form, a byte for each of its values first. Then the decimals: the first of a series as the
 * difference from the first before it of the same metric, each other from the one before it. Then singles, doubles, texts and CBOR.
 */
function writeValues(
  out: ByteWriter,
  entries: readonly ReadingEntry[],
  places: readonly number[],
  valueForms: Uint8Array,
  series: readonly Series[],
): void {
  const formAt = new Uint8Array(entries.length)
  for (let index = 0; index < entries.length; index++) {
    const form = valueForms[places[index] as number] as number
    const own = form === forms.each ? formOf((entries[index] as ReadingEntry).value) : form
    if (form === forms.each) out.byte(own)
    formAt[index] = own
  }
  const last = new Float64Array(series.length).fill(Number.NaN)
  const firsts = new Map<string, number>()
  for (let index = 0; index < entries.length; index++) {
    const form = formAt[index] as number
    if (form > forms.placesMax) continue
    const place = places[index] as number
    const scaled = Math.round(((entries[index] as ReadingEntry).value as number) * (scales[form] as number))
    if (valueForms[place] === forms.each) {
      out.signed(scaled)
      continue
    }
    const before = last[place] as number
    if (Number.isNaN(before)) {
      const { metric } = series[place] as Series
      out.signed(scaled - (firsts.get(metric) ?? 0))
      firsts.set(metric, scaled)
    } else out.signed(scaled - before)
    last[place] = scaled
  }
  const each = (form: number, write: (value: never) => void): void => {
    if (!formAt.includes(form)) return
    for (let index = 0; index < entries.length; index++) {
      if (formAt[index] === form) write((entries[index] as ReadingEntry).value as never)
    }
  }
  each(forms.single, (value: number) => out.single(value))
  each(forms.double, (value: number) => out.double(value))
  each(forms.text, (value: string) => out.text(value))
  each(forms.cbor, (value: ReadingEntry['value']) => out.bytes(encodeValue(value)))
}

function formOf(value: ReadingEntry['value']): number {
  if (typeof value === 'number') {
    const places = decimalPlaces(value, 0)
    return places >= 0 ? places : Math.fround(value) === value ? forms.single : forms.double
  }
  if (typeof value === 'string') return forms.text
  return typeof value === 'boolean' ? (value ? forms.true : forms.false) : forms.cbor
}
