/**
 * `npm run bench:wire`: bytes per reading on the wire, of our frames beside what else could carry the same readings.
 * Everything is counted as whole MQTT packets, topics and headers included; TCP and TLS are left out for all.
 */
import { gzipSync } from 'node:zlib'
import { parseArgs } from 'node:util'
import mqttPacket from 'mqtt-packet'
import { encodePayload } from '../../runtime/replication/wire/payload.ts'
import type { FrameHead } from '../../runtime/replication/wire/frames.ts'
import { rowsMax } from '../../runtime/replication/limits.ts'
import { type ReadingEntry, asSeq } from '../../runtime/store/types.ts'
import { logEntries } from './fleet.ts'
import { figure, report } from './report.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    frames: { type: 'string', default: '20' },
    seed: { type: 'string', default: '1' },
  },
})
const frameCount = Number(values.frames)

function entriesOf(count: number, deviceTimes: boolean): ReadingEntry[] {
  const entries: ReadingEntry[] = []
  for (const entry of logEntries({ devices: 100, seed: Number(values.seed), deviceTimes })) {
    if (entries.length === count) break
    entries.push(entry)
  }
  return entries
}

const packetBytes = (topic: string, payload: Buffer | string): number =>
  mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 1, messageId: 1, retain: false, dup: false }).length

/** Bytes per reading in frames of so many. */
function framed(
  entries: readonly ReadingEntry[],
  rows: number,
  payloadOf: (part: readonly ReadingEntry[]) => Buffer,
): number {
  let bytes = 0
  for (let start = 0; start < entries.length; start += rows) {
    bytes += packetBytes('holdfast/v1/gw-1/up/entries/readings', payloadOf(entries.slice(start, start + rows)))
  }
  return bytes / entries.length
}

function frame(forms: readonly string[], compressions: readonly string[]): (part: readonly ReadingEntry[]) => Buffer {
  return part => {
    const last = part.at(-1)?.seq ?? asSeq(0)
    const head: FrameHead = {
      session: '0f3a9c71',
      run: 1,
      after: asSeq((part[0]?.seq ?? 1) - 1),
      last,
      head: asSeq(last + 100_000),
      part: 0,
      parts: 1,
      gaps: [],
    }
    return encodePayload(
      'series',
      head,
      part.map(entry => ({ entry, joined: entry.joined })),
      { forms, compressions },
    )
  }
}

const told = ({ series, value, arrivalMs, deviceTimeMs }: ReadingEntry): object => ({
  value,
  time: deviceTimeMs ?? arrivalMs,
  unit: series.unit,
})
const toldWhole = (entry: ReadingEntry): object => ({
  device: entry.series.device,
  metric: entry.series.metric,
  ...told(entry),
})
const jsonGzipped = (part: readonly ReadingEntry[]): Buffer =>
  gzipSync(JSON.stringify(part.map(toldWhole)), { level: 6 })

const entries = entriesOf(frameCount * 1_000, false)
const timed = entriesOf(frameCount * 1_000, true)
const many = entriesOf(Math.max(1, Math.round(frameCount / 4)) * rowsMax, false)

const eachJson =
  entries.reduce(
    (sum, entry) =>
      sum + packetBytes(`sensors/${entry.series.device}/${entry.series.metric}`, JSON.stringify(told(entry))),
    0,
  ) / entries.length
const dense = frame(['columns'], ['brotli'])
const ours = framed(entries, 1_000, dense)
const atMost4 = { text: 'at most 4', holds: (): boolean => ours <= 4 }

report(
  'wire',
  [
    figure('bytes per reading, frames of 1,000; peer: an MQTT PUBLISH each (JSON)', ours, eachJson, atMost4),
    figure('the same; peer: JSON arrays of 1,000, gzipped', ours, framed(entries, 1_000, jsonGzipped)),
    figure('the same; peer: frames in rows (CBOR)', ours, framed(entries, 1_000, frame(['rows'], []))),
    figure('the same; peer: frames in rows, brotli', ours, framed(entries, 1_000, frame(['rows'], ['brotli']))),
    figure('with deflate in place of brotli', framed(entries, 1_000, frame(['columns'], ['deflate']))),
    figure('not compressed', framed(entries, 1_000, frame(['columns'], []))),
    figure('with device times, clocks off by seconds', framed(timed, 1_000, dense)),
    figure('frames of 100', framed(entries, 100, dense)),
    figure('frames of 10', framed(entries, 10, dense)),
    figure(`frames of ${rowsMax.toLocaleString('en')}`, framed(many, rowsMax, dense)),
  ],
  [
    `${frameCount} frames; 100 devices with 4 metrics each, one reading of each per second with jitter, values of one or two decimals that walk at random.`,
    'Whole MQTT packets. Our rows carry arrival, stamp, position, origin and unit too; the JSON has device, metric, value, time and unit.',
  ],
  values.json,
)
