/**
 * SenML (RFC 8428), as JSON and as CBOR. The base name is the device, the name the metric:
 *
 *   [{"bn": "urn:dev:mac:0024befffe804ff1:", "bt": 1767225600.25, "n": "temperature", "u": "Cel", "v": 21.5}]
 */
import { type CborValue, cborBytes } from './cbor-bytes.ts'
import { type Format, type Measured, type Payload, type Speaker, timeOf, topicOf } from './format.ts'
import { garbagePayload } from './garbage.ts'

type Field = 'bn' | 'bt' | 'bu' | 'bver' | 'n' | 'u' | 'v' | 'vs' | 'vb' | 't' | 'calibration_'
type SenmlRecord = Readonly<Partial<Record<Field, number | string | boolean | undefined>>>

/** RFC 8428, table 4. */
const labels: Readonly<Partial<Record<string, number>>> = {
  bver: -1,
  bn: -2,
  bt: -3,
  bu: -4,
  n: 0,
  u: 1,
  v: 2,
  vs: 3,
  vb: 4,
  t: 6,
}

const asJson = (pack: readonly SenmlRecord[]): Payload => JSON.stringify(pack)
const asCbor = (pack: readonly SenmlRecord[]): Payload =>
  cborBytes(
    pack.map(
      record => new Map(Object.entries(record).map(([field, value]) => [labels[field] ?? field, value])),
    ) as CborValue[],
  )

export const senml = senmlFormat('senml', asJson)
export const senmlCbor = senmlFormat('senml-cbor', asCbor)

function senmlFormat(name: string, write: (pack: readonly SenmlRecord[]) => Payload): Format {
  return {
    name,
    topic: 'senml/{device}',
    // Base fields in a record of their own; a time that counts from now, as of a device without a clock; a field that must
    // be understood, and cannot be.
    faults: ['split-base', 'relative-time', 'must-understand'],
    open: speaker => ({
      reading: (measured, fault) => {
        const isRelative = fault === 'relative-time'
        const timeMs = isRelative ? undefined : timeOf(speaker, measured)
        const pack = packOf(speaker, measured, timeMs, isRelative ? -2 : undefined, fault === 'split-base')
        return { topic: topicOf(speaker, measured), payload: write(pack), id: undefined, timeMs }
      },
      beside: (measured, fault) => {
        if (fault !== 'must-understand') return undefined
        const [record] = packOf(speaker, measured, undefined, undefined, false)
        const payload = write([{ ...record, calibration_: 3 }])
        return { kind: 'garbage', topic: topicOf(speaker, measured), payload }
      },
      garbage: garbagePayload,
    }),
  }
}

function packOf(
  { name }: Speaker,
  { metric, value }: Measured,
  timeMs: number | undefined,
  agoSeconds: number | undefined,
  isSplit: boolean,
): SenmlRecord[] {
  const bt = timeMs === undefined ? undefined : timeMs / 1_000
  const said: SenmlRecord =
    typeof value === 'number' ? { v: value } : typeof value === 'boolean' ? { vb: value } : { vs: value }
  const base: SenmlRecord = { bn: `${name}:`, bt }
  return isSplit
    ? [{ bn: 'urn:dev:nobody:', bu: metric.unit, bver: 10 }, base, { n: metric.name, ...said }]
    : [{ ...base, n: metric.name, u: metric.unit, ...said, t: agoSeconds }]
}
