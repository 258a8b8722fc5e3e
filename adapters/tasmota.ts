/**
 * The `tasmota` adapter: what Tasmota publishes, by its FullTopic.
 *
 *   tele/plug/SENSOR    {"Time": "2026-01-31T12:00:00", "ENERGY": {"Power": 5}}    device plug; metric ENERGY.Power
 *   tele/plug/STATE     {"POWER": "ON", "Wifi": {"Signal": -68}}                   metrics POWER and Wifi.Signal
 *   tele/plug/LWT       Online, Offline                                            the device is here, or gone
 *   stat/plug/POWER1    ON                                                         metric POWER1
 *   stat/plug/RESULT    {"Dimmer": 40}                                             what changed; answers of settings are no readings
 *   stat/plug/STATUS8   {"StatusSNS": {…}}                                         like SENSOR; STATUS10 too, and STATUS11 like STATE
 *
 * Everything else on these topics is no reading. ON and OFF are true and false. A switch that changes tells it twice,
 * in RESULT and in POWER; it is taken from POWER.
 *
 * Tasmota writes the time of its zone without the zone (SetOption52 1 writes it): that is used where `time_zone` says which,
 * and not where clocks show it twice. Before the device knows the time it writes 1970, which is not used either.
 */
import { z } from 'zod'
import type { Reading } from '../runtime/reading.ts'
import { zoneOffsets } from '../runtime/schedule.ts'
import { type Adapter, adapterKind, type Decoded } from './adapter.ts'
import { deviceTimeMs, type ZoneOffset } from './device-time.ts'
import { parseJson } from './json-text.ts'
import { instantOf } from './local-time.ts'
import { timeZone } from './mapping-options.ts'
import { readMembers, switchValue } from './members.ts'
import { nameFault } from './names.ts'
import { payloadText } from './payload.ts'
import { presenceIn, saysNothing } from './presence-words.ts'
import { reject } from './reason.ts'
import { fullTopicLevels, splitTopic, tasmotaTopic } from './tasmota-topic.ts'
import { clockSetFromMs } from './unset-clock.ts'

const options = z.strictObject({
  full_topic: tasmotaTopic,
  prefixes: z
    .strictObject({
      stat: z.string().min(1).default('stat').describe('Prefix2 of the devices.'),
      tele: z.string().min(1).default('tele').describe('Prefix3 of the devices.'),
    })
    .prefault({})
    .describe('What %prefix% stands for, if the devices were told other words.'),
  time_zone: timeZone
    .optional()
    .describe('The time zone of the devices. Left out, a time that they write without one is not used.'),
})

export const tasmotaKind = adapterKind({
  name: 'tasmota',
  sentence: 'what Tasmota publishes; devices and metrics are named by it',
  options,
  nameOptions: { device: 'always', metric: 'always' },
  decoder,
})

type Context = { readonly device: string; readonly offset: ZoneOffset | undefined }

function decoder({ full_topic, prefixes, time_zone }: z.output<typeof options>): Adapter['decode'] {
  const fullTopic = fullTopicLevels(full_topic)
  const offset = time_zone === undefined ? undefined : zoneOffsets(time_zone)
  return (payload, levels, { topic }) => {
    const split = splitTopic(fullTopic, topic)
    if (split === undefined) return reject(`the topic does not fit full_topic ${full_topic}`)
    const { prefix, what } = split
    if ((prefix !== prefixes.tele && prefix !== prefixes.stat) || payload.length === 0) return saysNothing
    const device = levels.get('device') ?? split.device
    const fault = nameFault('the device', device)
    if (fault !== undefined) return reject(fault)
    return decodePart(payload, { device, offset }, what)
  }
}

function decodePart(payload: Uint8Array, context: Context, what: string): Decoded {
  switch (what) {
    case 'LWT':
      return presenceIn(payload, context.device, { online: 'Online', offline: 'Offline' })
    case 'SENSOR':
      return readJson(payload, context, undefined, isNoReading)
    case 'STATE':
      return readJson(payload, context, undefined, isNoState)
    case 'RESULT':
      return readJson(payload, context, undefined, isNoResult)
    case 'STATUS8':
    case 'STATUS10':
      return readJson(payload, context, 'StatusSNS', isNoReading)
    case 'STATUS11':
      return readJson(payload, context, 'StatusSTS', isNoState)
    default:
      return powerName.test(what) ? readPower(payload, context, what) : saysNothing
  }
}

/** The switches, and the marks that a measured power has passed. */
const powerName = /^POWER(?:\d{1,2}|_LOW|_HIGH)?$/

function readPower(payload: Uint8Array, { device }: Context, metric: string): Decoded {
  const read = payloadText(payload)
  const value = read.ok && switchValue(read.text)
  // With SetOption4 answers to commands come here too, as JSON; the switch itself is told in plain text all the same.
  if (!read.ok || typeof value !== 'boolean') {
    return payload[0] === 0x7b ? saysNothing : reject('neither ON nor OFF')
  }
  return { ok: true, readings: [{ device, metric, value, deviceTimeMs: undefined, id: undefined, unit: undefined }] }
}

function readJson(
  payload: Uint8Array,
  { device, offset }: Context,
  inside: string | undefined,
  isLeftOut: (name: string) => boolean,
): Decoded {
  const parsed = parseJson(payload)
  if (!parsed.ok) return reject(parsed.reason)
  const members = inside === undefined ? parsed.message : memberOf(parsed.message, inside)
  if (typeof members !== 'object' || members === null || Array.isArray(members)) {
    return reject(inside === undefined ? 'not an object' : `there is no object "${inside}"`)
  }
  const timeMs = timeOf(memberOf(members, 'Time'), offset)
  if (typeof timeMs === 'string') return reject(`"Time": ${timeMs}`)
  const readings: Reading[] = []
  const plan = { device, deviceTimeMs: timeMs, isLeftOut, unitOf: unitsIn(members), lists: 'numbered' } as const
  const fault = readMembers(plan, members, readings)
  if (fault !== undefined) return reject(fault)
  return readings.length === 0 ? saysNothing : { ok: true, readings }
}

function memberOf(message: unknown, key: string): unknown {
  if (typeof message !== 'object' || message === null || !Object.hasOwn(message, key)) return undefined
  return (message as Readonly<Record<string, unknown>>)[key]
}

const withoutZone = /^\d{4}-\d\d-\d\d[T ][\d:.]+$/

function timeOf(raw: unknown, offset: Context['offset']): number | string | undefined {
  if (raw === undefined) return undefined
  const ms = deviceTimeMs(raw, 'auto')
  if (typeof ms === 'string' || ms < clockSetFromMs) return typeof ms === 'string' ? ms : undefined
  if (typeof raw !== 'string' || !withoutZone.test(raw)) return ms
  return offset && instantOf(ms, offset)
}

const isNoReading = (name: string): boolean =>
  name === 'Time' || name === 'ENERGY.TotalStartTime' || /^[A-Za-z]+Unit$/.test(name)

/** Texts of the state that say how a device is set up, or the same as the number beside them. */
const stateTexts: ReadonlySet<string> = new Set([
  'Uptime',
  'SleepMode',
  'Wifi.SSId',
  'Wifi.BSSId',
  'Wifi.Mode',
  'Wifi.Downtime',
])
const isNoState = (name: string): boolean => isNoReading(name) || stateTexts.has(name)

/** RESULT answers every command, settings too: only what a device does or sees is a reading. */
const resultName =
  /^(?:Dimmer|CT|Color|HSBColor|White|Channel|FanSpeed|Switch|Button|Shutter|RfReceived|IrReceived|ZbReceived)\d*(?:\.|$)/
const isNoResult = (name: string): boolean => !resultName.test(name)

const energyUnits: ReadonlyMap<string, string> = new Map([
  ['Total', 'kWh'],
  ['Yesterday', 'kWh'],
  ['Today', 'kWh'],
  ['Power', 'W'],
  ['ApparentPower', 'VA'],
  ['ReactivePower', 'VAr'],
  ['Voltage', 'V'],
  ['Current', 'A'],
  ['Frequency', 'Hz'],
])
const units: ReadonlyMap<string, string> = new Map([
  ['Humidity', '%'],
  ['Illuminance', 'lx'],
  ['CarbonDioxide', 'ppm'],
  ['UptimeSec', 's'],
  ['Signal', 'dBm'],
])

/** By the last key of a metric; Tasmota says of the whole message how it writes temperatures and pressures. */
function unitsIn(members: object): (name: string) => string | undefined {
  const temperature = memberOf(members, 'TempUnit')
  const degree = temperature === 'C' ? '°C' : temperature === 'F' ? '°F' : undefined
  const pressure = memberOf(members, 'PressureUnit')
  const pressureUnit = typeof pressure === 'string' && /^\w{1,8}$/.test(pressure) ? pressure : undefined
  return name => {
    const energy = /^ENERGY\.([A-Za-z]+)(?:\.\d+)?$/.exec(name)?.[1]
    if (energy !== undefined) return energyUnits.get(energy)
    const last = name.slice(name.lastIndexOf('.') + 1)
    if (last === 'Temperature' || last === 'DewPoint') return degree
    return last === 'Pressure' || last === 'SeaPressure' ? pressureUnit : units.get(last)
  }
}
