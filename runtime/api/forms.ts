/**
 * How readings, records, gaps and rows look as JSON: one form each, for every endpoint and every script that reads them.
 *
 * Promises: snake_case; each key is always there, null says "none"; `time` is what queries and rules use, in UTC.
 * Pure.
 */
import type { Json } from '../reading.ts'
import { type Stamp, stampMs } from '../stamp.ts'
import type { BucketFunction } from '../store/buckets.ts'
import { type Entry, type GapEntry, type ReadingEntry, type RecordEntry, type Row, timeOf } from '../store/types.ts'

export type ReadingForm = {
  readonly kind: 'reading'
  readonly seq: number
  readonly time: string | null
  readonly time_ms: number
  readonly device: string
  readonly metric: string
  readonly value: Json
  readonly unit: string | null
  readonly id: string | null
  readonly device_time_ms: number | null
  readonly arrival_ms: number
  /** `untrusted`: the gateway did not know what time it was, and `time` (unless it is the device's) may be wrong. */
  readonly clock: 'trusted' | 'untrusted'
  readonly origin: string
  /** The peer that sent it; null for what was committed here first. */
  readonly via: string | null
  readonly stamp: number
}

export type AggregateForm = {
  readonly kind: 'aggregate'
  /** The beginning of the interval. */
  readonly time: string | null
  readonly time_ms: number
  readonly device: string
  readonly metric: string
  readonly unit: string | null
  readonly origin: string
} & { readonly [Name in BucketFunction]?: Json }

export type RecordForm = {
  readonly kind: 'record'
  readonly seq: number
  readonly time: string | null
  readonly time_ms: number
  readonly key: string
  /** Null together with `deleted` is a row that was removed. */
  readonly value: Json
  readonly deleted: boolean
  readonly origin: string
  readonly via: string | null
  readonly stamp: number
}

export type GapForm = {
  readonly kind: 'gap'
  readonly first_seq: number
  readonly seq: number
  readonly count: number
  readonly reason: string
}

export type EntryForm = ReadingForm | RecordForm | GapForm

export type RowForm = {
  readonly key: string
  readonly value: Json
  readonly seq: number
  readonly time: string | null
  readonly time_ms: number
  readonly origin: string
  readonly stamp: number
}

export function entryForm(entry: Entry): EntryForm {
  switch (entry.kind) {
    case 'reading':
      return readingForm(entry)
    case 'record':
      return recordForm(entry)
    case 'gap':
      return gapForm(entry)
  }
}

export function readingForm(entry: ReadingEntry): ReadingForm {
  const timeMs = timeOf(entry)
  return {
    kind: 'reading',
    seq: entry.seq,
    time: timeText(timeMs),
    time_ms: timeMs,
    device: entry.series.device,
    metric: entry.series.metric,
    value: entry.value,
    unit: entry.series.unit ?? null,
    id: entry.id ?? null,
    device_time_ms: entry.deviceTimeMs ?? null,
    arrival_ms: entry.arrivalMs,
    clock: entry.boot === undefined ? 'trusted' : 'untrusted',
    origin: entry.origin,
    via: entry.via || null,
    stamp: entry.stamp,
  }
}

function recordForm(entry: RecordEntry): RecordForm {
  return {
    kind: 'record',
    seq: entry.seq,
    ...timeOfStamp(entry.stamp),
    key: entry.key,
    value: entry.value ?? null,
    deleted: entry.value === undefined,
    origin: entry.origin,
    via: entry.via || null,
    stamp: entry.stamp,
  }
}

function gapForm({ firstSeq, seq, count, reason }: GapEntry): GapForm {
  return { kind: 'gap', first_seq: firstSeq, seq, count, reason }
}

export function rowForm({ key, value, seq, stamp, origin }: Row): RowForm {
  return { key, value, seq, ...timeOfStamp(stamp), origin, stamp }
}

function timeOfStamp(stamp: Stamp): { time: string | null; time_ms: number } {
  const timeMs = stampMs(stamp)
  return { time: timeText(timeMs), time_ms: timeMs }
}

/** A peer may send any number as a time; what no calendar has must not break the stream. */
export function timeText(ms: number): string | null {
  return Math.abs(ms) <= 8.64e15 ? new Date(ms).toISOString() : null
}
