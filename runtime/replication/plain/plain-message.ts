/**
 * One entry of a log as one message for a plain broker: topic and payload, JSON or CBOR, by the user's templates. Pure.
 *
 * Without a payload template a message holds everything that a reader may need, under fixed names:
 *
 *   readings  {"device","metric","value","time_ms","unit"?,"origin","seq"}
 *   records   {"key","value","deleted"?,"stamp_ms","origin","seq"}; a deleted row has the value null and deleted: true
 *
 * Promises: each entry is one message or the reason why it can't be one; nothing is cut off to make it fit.
 */
import { type PayloadValues, fill, fillText } from '../../payload-template.ts'
import type { Json } from '../../reading.ts'
import { stampMs } from '../../stamp.ts'
import { type ReadingEntry, type RecordEntry, timeOf } from '../../store/types.ts'
import type { TopicTemplate } from '../../topic-template.ts'
import { encodeMessage } from '../wire/codec.ts'
import { envelopeBytesMax, messageBytesMax } from '../limits.ts'

export type PlainFormat = 'json' | 'cbor'

export type PlainMessage =
  | { readonly ok: true; readonly topic: string; readonly payload: Buffer }
  | { readonly ok: false; readonly reason: string }

export type MessageOptions = {
  readonly gateway: string
  readonly table: string
  readonly topic: TopicTemplate
  readonly format: PlainFormat
  readonly payload: Json | undefined
}

/** Topic and payload of a message have 128 KiB together at the tightest broker. */
const payloadBytesMax = messageBytesMax - envelopeBytesMax

export function messageOfEntry(entry: ReadingEntry | RecordEntry, options: MessageOptions): PlainMessage {
  const { gateway, table } = options
  const names =
    entry.kind === 'reading'
      ? { device: entry.series.device, metric: entry.series.metric, unit: entry.series.unit, key: undefined }
      : { device: undefined, metric: undefined, unit: undefined, key: entry.key }
  const topic = options.topic.topicOf({ gateway, table, origin: entry.origin, ...names })
  if (!topic.ok) return topic
  const payload = payloadOf(entry, options)
  if (payload.length > payloadBytesMax) return { ok: false, reason: 'payload-too-large' }
  return { ok: true, topic: topic.topic, payload }
}

function payloadOf(entry: ReadingEntry | RecordEntry, options: MessageOptions): Buffer {
  const { payload: template, format } = options
  if (template === undefined) return encoded(whole(entry), format)
  const values = valuesOf(entry, options)
  // A text is the whole message: what a script or a dashboard expects under such a topic.
  if (typeof template === 'string') return Buffer.from(fillText(template, values))
  return encoded(fill(template, values) ?? null, format)
}

const encoded = (value: Json, format: PlainFormat): Buffer =>
  format === 'cbor' ? encodeMessage(value as object) : Buffer.from(JSON.stringify(value))

function whole(entry: ReadingEntry | RecordEntry): Json {
  const { origin, seq } = entry
  if (entry.kind === 'record') {
    const { key, value = null, stamp } = entry
    const deleted = entry.value === undefined ? { deleted: true } : {}
    return { key, value, ...deleted, stamp_ms: stampMs(stamp), origin, seq }
  }
  const { device, metric, unit } = entry.series
  return {
    device,
    metric,
    value: entry.value,
    time_ms: timeOf(entry),
    ...(unit === undefined ? {} : { unit }),
    origin,
    seq,
  }
}

function valuesOf(entry: ReadingEntry | RecordEntry, { gateway, table }: MessageOptions): PayloadValues {
  const { origin, seq } = entry
  const stamp_ms = stampMs(entry.stamp)
  const shared = { gateway, table, origin, seq, stamp_ms }
  if (entry.kind === 'record') {
    const { key, value } = entry
    const deleted = value === undefined
    return { ...shared, key, deleted, time: iso(stamp_ms), ...(deleted ? {} : { value }) }
  }
  const { series, value, arrivalMs, deviceTimeMs, id } = entry
  const time_ms = timeOf(entry)
  return {
    ...shared,
    device: series.device,
    metric: series.metric,
    value,
    time_ms,
    time: iso(time_ms),
    arrival_ms: arrivalMs,
    ...(series.unit === undefined ? {} : { unit: series.unit }),
    ...(deviceTimeMs === undefined ? {} : { device_time_ms: deviceTimeMs }),
    ...(id === undefined ? {} : { id }),
  }
}

/** RFC 3339 in UTC; a time that no calendar has stays a number. */
function iso(ms: number): string {
  const date = new Date(ms)
  return Number.isNaN(date.getTime()) ? String(ms) : date.toISOString()
}
