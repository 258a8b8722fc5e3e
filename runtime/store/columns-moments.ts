/**
 * When readings of a chunk (chunk.ts) were stored and when they arrived, told by what they are near to.
 *
 *   stamps     byte form: 0 column of the millisecond less that of the arrival, column of the count within it;
 *              1 column of stamp - distance from the first position; 2 column of stamps
 *   arrivals   byte form: 0 column of arrival - time, 1 column of arrivals
 *
 * A commit comes some milliseconds after its readings and counts from there; within one commit, or one message of many
 * readings, stamps and positions grow alike. The smaller form is kept, and only one that gives back exactly what was.
 */
import { type Stamp, stampAt, stampMs } from '../stamp.ts'
import { type ByteReader, ByteWriter } from './bytes.ts'
import { readNumbers, writeNumbers } from './columns-numbers.ts'
import { Scratch } from './scratch.ts'

const stampsSplit = 0
const stampsByPosition = 1
const stampsPlain = 2
const arrivalsLate = 0
const arrivalsPlain = 1

const scratch = { lags: new Scratch(), counts: new Scratch(), rest: new Scratch() }
const trial = { split: new ByteWriter(), byPosition: new ByteWriter() }

/** `distances` are those of the positions from the first. */
export function writeStamps(
  out: ByteWriter,
  stamps: Float64Array,
  arrivals: Float64Array,
  distances: Float64Array,
): void {
  const split = splitForm(stamps, arrivals)
  const byPosition = positionForm(stamps, distances, split === undefined)
  if (split && (!byPosition || split.length <= byPosition.length)) {
    out.byte(stampsSplit)
    out.raw(split)
  } else if (byPosition) {
    out.byte(stampsByPosition)
    out.raw(byPosition)
  } else {
    out.byte(stampsPlain)
    writeNumbers(out, stamps)
  }
}

function splitForm(stamps: Float64Array, arrivals: Float64Array): Buffer | undefined {
  const lags = scratch.lags.of(stamps.length)
  const counts = scratch.counts.of(stamps.length)
  for (let index = 0; index < stamps.length; index++) {
    const stamp = stamps[index] as Stamp
    const arrivalMs = Math.floor(arrivals[index] as number)
    const ms = stampMs(stamp)
    const lag = ms - arrivalMs
    const count = stamp - stampAt(ms)
    if (lag + arrivalMs !== ms || stampAt(ms) + count !== stamp) return undefined
    lags[index] = lag
    counts[index] = count
  }
  trial.split.clear()
  writeNumbers(trial.split, lags)
  writeNumbers(trial.split, counts)
  return trial.split.lend()
}

/** Unless it is the only form, it is tried only where many neighbours came in one commit. */
function positionForm(stamps: Float64Array, distances: Float64Array, isOnly: boolean): Buffer | undefined {
  const rest = scratch.rest.of(stamps.length)
  let alike = 0
  for (let index = 0; index < stamps.length; index++) {
    rest[index] = (stamps[index] as number) - (distances[index] as number)
    if ((rest[index] as number) + (distances[index] as number) !== stamps[index]) return undefined
    if (index > 0 && rest[index] === rest[index - 1]) alike++
  }
  if (!isOnly && alike * 4 < stamps.length) return undefined
  trial.byPosition.clear()
  writeNumbers(trial.byPosition, rest)
  return trial.byPosition.lend()
}

export function readStamps(
  read: ByteReader,
  arrivals: Float64Array,
  seqs: Float64Array,
  firstSeq: number,
): Float64Array {
  const form = read.byte()
  if (form > stampsPlain) throw new RangeError('unknown form of stamps')
  const stamps = readNumbers(read, seqs.length)
  if (form === stampsSplit) {
    const counts = readNumbers(read, seqs.length)
    for (let index = 0; index < stamps.length; index++) {
      const ms = (stamps[index] as number) + Math.floor(arrivals[index] as number)
      stamps[index] = stampAt(ms) + (counts[index] as number)
    }
  } else if (form === stampsByPosition) {
    for (let index = 0; index < stamps.length; index++) {
      stamps[index] = (stamps[index] as number) + ((seqs[index] as number) - firstSeq)
    }
  }
  return stamps
}

/** `timed` is 1 where `times` are the device's; else they are the arrivals themselves. */
export function writeArrivals(out: ByteWriter, arrivals: Float64Array, times: Float64Array, timed: Float64Array): void {
  const lags = scratch.lags.of(times.length)
  let lag = 0
  let isExact = true
  for (let index = 0; index < times.length; index++) {
    const time = times[index] as number
    const arrival = arrivals[index] as number
    // Where there is no lag, the one before costs nothing.
    if (timed[index] !== 0) {
      lag = arrival - time
      if (!Object.is(time + lag, arrival)) isExact = false
    }
    lags[index] = lag
  }
  out.byte(isExact ? arrivalsLate : arrivalsPlain)
  writeNumbers(out, isExact ? lags : arrivals)
}

/** Without `timed` all times are the device's. */
export function readArrivals(read: ByteReader, times: Float64Array, timed: Float64Array | undefined): Float64Array {
  const form = read.byte()
  if (form > arrivalsPlain) throw new RangeError('unknown form of arrivals')
  const arrivals = readNumbers(read, times.length)
  if (form === arrivalsPlain) return arrivals
  for (let index = 0; index < arrivals.length; index++) {
    const time = times[index] as number
    arrivals[index] = timed !== undefined && timed[index] === 0 ? time : time + (arrivals[index] as number)
  }
  return arrivals
}
