/**
 * The `senml` adapter: Sensor Measurement Lists (RFC 8428), as JSON and as CBOR; which of them is seen by the first byte.
 *
 *   [{"bn": "urn:dev:ow:10e2073a:", "bt": 1767225600, "n": "voltage", "u": "V", "v": 120.1}, {"n": "current", "u": "A", "v": 1.2}]
 *
 * Base fields hold from their record on. Times of 2^28 seconds and more are absolute, others count from the arrival; where
 * nobody vouches for the clock those readings have no time of the device. A sum is a reading of its own, `<metric>.sum`. A
 * pack is taken whole or rejected whole; a field that must be understood (its label ends with _) and is not, refuses it.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import type { Reading, Value } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Levels, type Message } from './adapter.ts'
import { parseCbor } from './cbor-value.ts'
import { deviceTimeMs } from './device-time.ts'
import { parseJson } from './json-text.ts'
import { nameFault, unitFault } from './names.ts'
import { quoted, reject, tooManyReadings } from './reason.ts'
import { asValue, valueFault } from './value.ts'

const nameRules = ['base', 'split', 'metric', 'whole'] as const
type NameRule = (typeof nameRules)[number]

export const senmlOptions = z.strictObject({
  names: z
    .enum(nameRules)
    .default('base')
    .describe(
      'base: the base name is the device and the name the metric, the topic gives what is missing; split: of both together, what stands before the last : or / is the device; metric: the topic names the device and the name is the metric; whole: the same with base name and name together. A / within a name becomes a dot.',
    ),
})

export const senmlKind = adapterKind({
  name: 'senml',
  sentence: 'the payload is SenML (RFC 8428), as JSON or CBOR',
  options: senmlOptions,
  nameOptions: { device: 'always', metric: 'always' },
  decoder:
    ({ names }): Adapter['decode'] =>
    (payload, levels, message) => {
      const parsed = payload[0] !== undefined && payload[0] >= 0x80 ? parseCbor(payload, labelOf) : parseJson(payload)
      if (!parsed.ok) return reject(parsed.reason)
      const readings: Reading[] = []
      const fault = readPack(parsed.message, { names, levels, message }, readings)
      if (fault !== undefined) return reject(fault)
      return readings.length > 0 ? { ok: true, readings } : reject('the pack has no value')
    },
})

/** What is around a pack. */
type Place = { readonly names: NameRule; readonly levels: Levels; readonly message: Message }

type Fields = Readonly<Record<string, unknown>>

/** RFC 8428, table 4. */
const labels: ReadonlyMap<number, string> = new Map([
  [-1, 'bver'],
  [-2, 'bn'],
  [-3, 'bt'],
  [-4, 'bu'],
  [-5, 'bv'],
  [-6, 'bs'],
  [0, 'n'],
  [1, 'u'],
  [2, 'v'],
  [3, 'vs'],
  [4, 'vb'],
  [5, 's'],
  [6, 't'],
  [7, 'ut'],
  [8, 'vd'],
])
/** Other whole numbers mean nothing, and are not mistaken for a label. */
const labelOf = (key: number): string => labels.get(key) ?? `(${key})`

/** The version that RFC 8428 describes; 5 and fewer came before it and read the same. */
const versionMax = 10
const typeOfField: Readonly<Record<string, 'number' | 'string' | 'boolean'>> = {
  bver: 'number',
  bn: 'string',
  bt: 'number',
  bu: 'string',
  bv: 'number',
  bs: 'number',
  n: 'string',
  u: 'string',
  v: 'number',
  vs: 'string',
  vb: 'boolean',
  vd: 'string',
  s: 'number',
  t: 'number',
  ut: 'number',
}
const base64url = /^[A-Za-z0-9_-]*={0,2}$/

/** What holds from a record on. */
type Base = { name: string; time: number; unit: string; value: number; sum: number | undefined; version: number }

function readPack(pack: unknown, place: Place, readings: Reading[]): string | undefined {
  if (!Array.isArray(pack)) return 'a SenML pack is a list of records'
  if (pack.length === 0) return 'the pack is empty'
  if (pack.length > readingsPerMessageMax) return tooManyReadings
  const base: Base = { name: '', time: 0, unit: '', value: 0, sum: undefined, version: 0 }
  for (const [index, record] of (pack as readonly unknown[]).entries()) {
    const fault = readRecord(record, base, place, readings)
    if (fault === tooManyReadings) return fault
    if (fault !== undefined) return `record ${index + 1}: ${fault}`
  }
  return undefined
}

function readRecord(record: unknown, base: Base, place: Place, readings: Reading[]): string | undefined {
  if (typeof record !== 'object' || record === null || Array.isArray(record)) return 'not a map of fields'
  const fields: Fields = { __proto__: null, ...record }
  const fault = fieldsFault(fields) ?? takeBase(fields, base)
  if (fault !== undefined) return fault

  const values = ['v', 'vs', 'vb', 'vd'].filter(label => fields[label] !== undefined)
  if (values.length > 1) return `more than one value: ${quoted(values)}`
  const sum = fields['s'] ?? (values.length === 0 ? base.sum : undefined)
  if (values.length === 0 && sum === undefined) {
    // A record that only sets what holds from here on.
    return Object.keys(fields).every(label => label.startsWith('b')) ? undefined : 'there is no value'
  }

  const names = namesOf(fields['n'] as string | undefined, base.name, place)
  if (typeof names === 'string') return names
  const timeMs = timeOf(base.time + ((fields['t'] as number | undefined) ?? 0), place.message.arrivalMs)
  if (typeof timeMs === 'string') return timeMs
  const unit = (fields['u'] as string | undefined) ?? base.unit
  const common = { device: names.device, deviceTimeMs: timeMs, id: undefined }

  const [label] = values
  if (label !== undefined) {
    const value = label === 'v' ? (fields['v'] as number) + base.value : (fields[label] as Value)
    const wrong = add(readings, { ...common, metric: names.metric, value, unit: unit === '' ? undefined : unit })
    if (wrong !== undefined) return wrong
  }
  if (sum === undefined) return undefined
  const total = fields['s'] === undefined ? (sum as number) : (sum as number) + (base.sum ?? 0)
  // The sum of a value over time is in its unit times seconds (RFC 8428, 4.2).
  const sumUnit = unit === '' ? undefined : `${unit}*s`
  return add(readings, { ...common, metric: `${names.metric}.sum`, value: total, unit: sumUnit })
}

function fieldsFault(fields: Fields): string | undefined {
  for (const [label, value] of Object.entries(fields)) {
    const type = Object.hasOwn(typeOfField, label) ? typeOfField[label] : undefined
    if (type !== undefined) {
      if (typeof value !== type) return `"${label}" is not a ${type === 'string' ? 'text' : type}`
    } else if (label.endsWith('_')) {
      return `${quoted([label])} must be understood, and is not`
    }
  }
  const { vd } = fields
  return typeof vd === 'string' && !base64url.test(vd) ? '"vd" is not base64url' : undefined
}

function takeBase({ bver, bn, bt, bu, bv, bs }: Fields, base: Base): string | undefined {
  if (bver !== undefined) {
    const version = bver as number
    if (!Number.isSafeInteger(version) || version < 1) return '"bver" is not a version'
    if (version > versionMax) return `version ${version} of SenML, and ${versionMax} is the last known`
    if (base.version !== 0 && base.version !== version) return 'two versions in one pack'
    base.version = version
  }
  if (bn !== undefined) base.name = bn as string
  if (bt !== undefined) base.time = bt as number
  if (bu !== undefined) base.unit = bu as string
  if (bv !== undefined) base.value = bv as number
  if (bs !== undefined) base.sum = bs as number
  return undefined
}

function add(readings: Reading[], reading: Reading): string | undefined {
  const { device, metric, value, unit } = reading
  const fault =
    nameFault('the device', device) ??
    nameFault('the metric', metric) ??
    (unit === undefined ? undefined : unitFault(unit))
  if (fault !== undefined) return fault
  const wrong = valueFault(value)
  if (wrong !== undefined) return `the value ${wrong}`
  if (readings.length >= readingsPerMessageMax) return tooManyReadings
  readings.push({ ...reading, value: asValue(value) })
  return undefined
}

/** Below this many seconds a time is relative (RFC 8428, 4.5.3). */
const absoluteFrom = 2 ** 28

function timeOf(seconds: number, arrivalMs: number | undefined): number | undefined | string {
  if (!Number.isFinite(seconds)) return 'the time is not finite'
  if (seconds >= absoluteFrom) return deviceTimeMs(seconds, 'unix_s')
  // Now is when it arrives, which every reading has anyway.
  if (seconds === 0 || arrivalMs === undefined) return undefined
  return deviceTimeMs(arrivalMs + seconds * 1_000, 'unix_ms')
}

type Names = { readonly device: string; readonly metric: string }

function namesOf(name: string | undefined, baseName: string, { names, levels }: Place): Names | string {
  const [device, metric] = chosen(name ?? '', baseName, names, levels.get('device'), levels.get('metric'))
  if (device === undefined || device === '') return 'nothing names the device: neither the base name nor the topic'
  if (metric === undefined || metric === '') return 'nothing names the metric: neither the name nor the topic'
  return { device, metric }
}

function chosen(
  name: string,
  baseName: string,
  rule: NameRule,
  device: string | undefined,
  metric: string | undefined,
): [device: string | undefined, metric: string | undefined] {
  const whole = baseName + name
  switch (rule) {
    case 'base':
      if (baseName !== '') return [tidy(baseName), name === '' ? metric : tidy(name)]
      // A pack of one sensor may name nothing but it.
      return device === undefined && metric !== undefined ? [tidy(name), metric] : [device, tidy(name) || metric]
    case 'split': {
      const at = Math.max(whole.lastIndexOf(':'), whole.lastIndexOf('/'))
      return at === -1 ? [device, tidy(whole) || metric] : [tidy(whole.slice(0, at)), tidy(whole.slice(at + 1))]
    }
    case 'metric':
      return [device, tidy(name) || metric]
    case 'whole':
      return [device, tidy(whole) || metric]
  }
}

/** Without the marks that join a name to the next, and without what MQTT keeps for topics. */
function tidy(name: string): string {
  return name.replace(/^[/:]+|[/:.]+$/g, '').replaceAll('/', '.')
}
