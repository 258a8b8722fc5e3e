/**
 * The `shelly` adapter: Shelly devices of the second generation and later, and of the first.
 *
 *   shellyplus1pm-a8032a/events/rpc        {"method": "NotifyStatus", "params": {"ts": 1769860800.5, "switch:0": {"apower": 8.2}}}
 *                                          device shellyplus1pm-a8032a; metric switch:0.apower, at that time
 *                                          NotifyEvent: metric input:0.event, "single_push"
 *   shellyplus1pm-a8032a/status/switch:0   the same without a time, if the device was told to publish that too
 *   shellyplus1pm-a8032a/online            true, false: the device is here, or gone
 *   shellies/shelly1-B929CC/relay/0        first generation: metric relay.0, on is true
 *
 * What stands before these is the device, less `base`. What is null is left out, and so are temperatures in °F, minutes'
 * counters and addresses. Before a device knows the time it counts from its start; that is not used as a time.
 */
import { z } from 'zod'
import type { Reading } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Decoded } from './adapter.ts'
import { deviceTimeMs } from './device-time.ts'
import { parseJson } from './json-text.ts'
import { nameOfPath, readMembers } from './members.ts'
import { nameFault } from './names.ts'
import { presenceIn, saysNothing } from './presence-words.ts'
import { reject, tooManyReadings } from './reason.ts'
import { readShellyOne } from './shelly-one.ts'
import { topicBase } from './topic-base.ts'
import { clockSetFromMs } from './unset-clock.ts'
import { readingsPerMessageMax } from '../runtime/limits.ts'

const options = z.strictObject({ base: topicBase('their topic prefix').optional() })

export const shellyKind = adapterKind({
  name: 'shelly',
  sentence: 'what Shelly devices publish; devices and metrics are named by them',
  options,
  nameOptions: { device: 'always', metric: 'always' },
  decoder: ({ base }) => decoder(base),
})

const firstGeneration = 'shellies'
/** What a device of the second generation publishes, behind its prefix. */
const form = /^(.*?)\/(?:(events)\/rpc|(online)|status\/([^/]+))$/

function decoder(base: string | undefined): Adapter['decode'] {
  const root = base === undefined ? '' : `${base}/`
  return (payload, levels, { topic }) => {
    if (!topic.startsWith(root)) return reject(`the topic does not begin with "${root}" (base)`)
    if (payload.length === 0) return saysNothing
    const [, prefix = '', events, online, component] = form.exec(topic.slice(root.length)) ?? []
    if (prefix === '')
      return topic.startsWith(`${firstGeneration}/`) ? readFirst(payload, topic, levels.get('device')) : saysNothing
    const isFirst = base === undefined && prefix.startsWith(`${firstGeneration}/`)
    const device = levels.get('device') ?? nameOfPath(isFirst ? prefix.slice(firstGeneration.length + 1) : prefix)
    const fault = nameFault('the device', device)
    if (fault !== undefined) return reject(fault)
    if (online !== undefined) return presenceIn(payload, device, { online: 'true', offline: 'false' })
    return events === undefined ? readStatus(payload, device, component ?? '') : readNotification(payload, device)
  }
}

/** shellies/<id>/<what>; two levels are announcements and commands to all. */
function readFirst(payload: Uint8Array, topic: string, named: string | undefined): Decoded {
  const [, id, ...path] = topic.split('/')
  if (id === undefined || path.length === 0) return saysNothing
  const device = named ?? id
  const fault = nameFault('the device', device)
  return fault === undefined ? readShellyOne(payload, device, path) : reject(fault)
}

function readStatus(payload: Uint8Array, device: string, component: string): Decoded {
  const parsed = parseJson(payload)
  if (!parsed.ok) return reject(parsed.reason)
  return isObject(parsed.message)
    ? readings(device, undefined, { [component]: parsed.message })
    : reject('not an object')
}

function readNotification(payload: Uint8Array, device: string): Decoded {
  const parsed = parseJson(payload)
  if (!parsed.ok) return reject(parsed.reason)
  const { method, params } = isObject(parsed.message) ? parsed.message : {}
  if (typeof method !== 'string') return reject('there is no "method"')
  if (!method.startsWith('Notify')) return saysNothing
  if (!isObject(params)) return reject('there is no object "params"')
  if (method === 'NotifyEvent') return readEvents(device, params['events'])
  const { ts, ...components } = params
  const timeMs = timeOf(ts)
  return typeof timeMs === 'string' ? reject(`"ts": ${timeMs}`) : readings(device, timeMs, components)
}

function readEvents(device: string, events: unknown): Decoded {
  if (!Array.isArray(events)) return reject('there is no list "events"')
  if (events.length > readingsPerMessageMax) return reject(tooManyReadings)
  const read: Reading[] = []
  for (const one of events as readonly unknown[]) {
    const { component, event, ts } = isObject(one) ? one : {}
    if (typeof component !== 'string' || typeof event !== 'string') return reject('an event names no component')
    const metric = `${nameOfPath(component)}.event`
    const timeMs = timeOf(ts)
    const fault = nameFault('the metric', metric) ?? (typeof timeMs === 'string' ? `"ts": ${timeMs}` : undefined)
    if (fault !== undefined || typeof timeMs === 'string') return reject(fault ?? '')
    if (event.length > eventCharactersMax) return reject(`an event is longer than ${eventCharactersMax} characters`)
    read.push({ device, metric, value: event, deviceTimeMs: timeMs, id: undefined, unit: undefined })
  }
  return read.length === 0 ? saysNothing : { ok: true, readings: read }
}

/** An event is a word such as double_push. */
const eventCharactersMax = 128

function readings(device: string, timeMs: number | undefined, components: object): Decoded {
  const read: Reading[] = []
  const plan = { device, deviceTimeMs: timeMs, isLeftOut, unitOf, lists: 'whole' } as const
  const fault = readMembers(plan, components, read)
  if (fault !== undefined) return reject(fault)
  return read.length === 0 ? saysNothing : { ok: true, readings: read }
}

/** By the last keys: what another value says too, and what names the device in its network. */
const leftOut =
  /(?:^|\.)(?:id|tF|by_minute|minute_ts|mac|ssid|bssid|sta_ip|sta_ip6|time|unixtime|last_sync_ts|available_updates)$/
const isLeftOut = (name: string): boolean => leftOut.test(name)

const units: ReadonlyMap<string, string> = new Map([
  ['apower', 'W'],
  ['act_power', 'W'],
  ['aprt_power', 'VA'],
  ['voltage', 'V'],
  ['current', 'A'],
  ['freq', 'Hz'],
  ['tC', '°C'],
  ['rh', '%'],
  ['lux', 'lx'],
  ['rssi', 'dBm'],
  ['aenergy.total', 'Wh'],
  ['ret_aenergy.total', 'Wh'],
  ['act_energy', 'Wh'],
  ['battery.percent', '%'],
  ['battery.V', 'V'],
])

function unitOf(name: string): string | undefined {
  const last = name.lastIndexOf('.')
  const before = name.lastIndexOf('.', last - 1)
  // Meters of three phases have each value once for each: a_voltage, b_voltage.
  return units.get(name.slice(last + 1).replace(/^(?:[abcn]|total)_/, '')) ?? units.get(name.slice(before + 1))
}

function timeOf(ts: unknown): number | string | undefined {
  if (ts === undefined || ts === null) return undefined
  const ms = deviceTimeMs(ts, 'unix_s')
  return typeof ms === 'number' && ms < clockSetFromMs ? undefined : ms
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
