/**
 * The `zigbee2mqtt` adapter: what Zigbee2MQTT publishes, by the topics of its documentation.
 *
 *   zigbee2mqtt/kitchen/lamp                {"state": "ON", "color": {"x": 0.4, "y": 0.5}, "linkquality": 92}
 *                                           device kitchen.lamp; metrics state, color.x, color.y, linkquality
 *   zigbee2mqtt/kitchen/lamp/availability   {"state": "online"} or online: the device is here
 *   zigbee2mqtt/bridge/state                the same of the bridge, which is the device zigbee2mqtt.bridge
 *   zigbee2mqtt/bridge/…, …/set, …/get      no readings
 *
 * Friendly names may have levels; a name of ours has dots there. ON and OFF are true and false, `last_seen` is the time of
 * the device in any of its formats, what is null is left out, and so is what `include_device_information` adds.
 */
import { z } from 'zod'
import type { Reading } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Decoded } from './adapter.ts'
import { deviceTimeMs } from './device-time.ts'
import { parseJson } from './json-text.ts'
import { nameOfPath, readMembers } from './members.ts'
import { nameFault } from './names.ts'
import { payloadText } from './payload.ts'
import { presenceIn, saysNothing } from './presence-words.ts'
import { reject } from './reason.ts'
import { topicBase } from './topic-base.ts'
import { valueFault } from './value.ts'

const options = z.strictObject({
  base: topicBase('base_topic').default('zigbee2mqtt'),
  output: z
    .enum(['json', 'attribute', 'attribute_and_json'])
    .default('json')
    .describe(
      'What advanced.output of Zigbee2MQTT says: one message for all attributes (json), or one for each, whose last level names it.',
    ),
})
type Output = z.output<typeof options>['output']

export const zigbee2mqttKind = adapterKind({
  name: 'zigbee2mqtt',
  sentence: 'what Zigbee2MQTT publishes; devices and metrics are named by it',
  options,
  nameOptions: { device: 'always', metric: 'always' },
  decoder: ({ base, output }) => decoder(base, output),
})

function decoder(base: string, output: Output): Adapter['decode'] {
  const root = `${base}/`
  const bridge = `${nameOfPath(base)}.bridge`
  return (payload, levels, { topic }) => {
    if (!topic.startsWith(root)) return reject(`the topic does not begin with "${root}" (base)`)
    const path = topic.slice(root.length)
    if (path === 'bridge/state') return presenceIn(payload, bridge, states)
    // An empty message takes back the retained one before: the device was renamed or removed.
    if (path.startsWith('bridge/') || isCommand(path) || payload.length === 0) return saysNothing
    const ending = path.lastIndexOf('/')
    const last = path.slice(ending + 1)
    const isAvailability = ending > 0 && last === 'availability'
    const isAttribute = output === 'attribute' && ending > 0 && !isAvailability
    const device = levels.get('device') ?? nameOfPath(isAvailability || isAttribute ? path.slice(0, ending) : path)
    const fault = nameFault('the device', device)
    if (fault !== undefined) return reject(fault)
    if (isAvailability) return presenceIn(payload, device, states)
    return isAttribute ? readAttribute(payload, device, last) : readState(payload, device, output)
  }
}

const states = { online: 'online', offline: 'offline' } as const

/** `…/set`, `…/get`, and with the attribute behind them: what others ask of the device. */
function isCommand(path: string): boolean {
  return /\/[sg]et(?:\/[^/]*)?$/.test(path)
}

function readState(payload: Uint8Array, device: string, output: Output): Decoded {
  const parsed = parseJson(payload)
  const state = parsed.ok ? parsed.message : undefined
  if (typeof state !== 'object' || state === null || Array.isArray(state)) {
    // Each attribute comes once more by itself, behind the message that has them all.
    if (output === 'attribute_and_json') return saysNothing
    return reject(parsed.ok ? 'not an object' : parsed.reason)
  }
  const { last_seen } = state as { readonly last_seen?: unknown }
  const timeMs = last_seen === undefined || last_seen === null ? undefined : deviceTimeMs(last_seen, 'auto')
  if (typeof timeMs === 'string') return reject(`"last_seen": ${timeMs}`)
  const readings: Reading[] = []
  const plan = { device, deviceTimeMs: timeMs, isLeftOut, unitOf, lists: 'whole' } as const
  const fault = readMembers(plan, state, readings)
  if (fault !== undefined) return reject(fault)
  return readings.length === 0 ? saysNothing : { ok: true, readings }
}

const isLeftOut = (name: string): boolean => name === 'last_seen' || name === 'elapsed' || name === 'device'

function readAttribute(payload: Uint8Array, device: string, attribute: string): Decoded {
  if (attribute === 'last_seen' || attribute.startsWith('device-')) return saysNothing
  const fault = nameFault('the metric', attribute)
  if (fault !== undefined) return reject(fault)
  const read = payloadText(payload)
  if (read.ok && read.text === 'null') return saysNothing
  if (!read.ok) return reject(read.reason)
  const value = attributeValue(read.text)
  const wrong = valueFault(value)
  if (wrong !== undefined) return reject(`the value ${wrong}`)
  const reading = { device, metric: attribute, value, deviceTimeMs: undefined, id: undefined, unit: unitOf(attribute) }
  return { ok: true, readings: [reading] }
}

const decimal = /^-?\d{1,15}(?:\.\d{1,20})?(?:e[-+]?\d{1,3})?$/

function attributeValue(text: string): number | boolean | string {
  if (decimal.test(text)) return Number(text)
  if (text === 'ON' || text === 'true') return true
  return text === 'OFF' || text === 'false' ? false : text
}

/** Only where Zigbee2MQTT has one unit for a name, whatever the device is (voltage is V here and mV there). */
const units: ReadonlyMap<string, string> = new Map([
  ['linkquality', 'lqi'],
  ['battery', '%'],
  ['temperature', '°C'],
  ['local_temperature', '°C'],
  ['device_temperature', '°C'],
  ['humidity', '%'],
  ['soil_moisture', '%'],
  ['pressure', 'hPa'],
  ['power', 'W'],
  ['energy', 'kWh'],
  ['current', 'A'],
  ['co2', 'ppm'],
  ['pm10', 'µg/m³'],
  ['pm25', 'µg/m³'],
])
const unitOf = (name: string): string | undefined => units.get(name)
