/**
 * The `homie` adapter: devices that follow the Homie convention, 3, 4 or 5.
 *
 *   homie/super-car/engine/temperature             21.5     device super-car; metric engine.temperature
 *   homie/super-car/engine/temperature/$datatype   float    how its payloads are read from now on; $unit and $format too
 *   homie/5/super-car/$description                 {"nodes": {"engine": {"properties": {…}}}}    the same in 5
 *   homie/super-car/$state                         ready    the device is here; lost and disconnected: it is gone
 *   …/set, …/$target, $broadcast, other $…         no readings
 *
 * What attributes say is remembered. Without a datatype, what looks like a number or a switch is one. A property that is not
 * retained is an event; it is a reading like the others. A device that sleeps is here.
 */
import { z } from 'zod'
import type { Json, Reading } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Decoded, type Message } from './adapter.ts'
import { recallProperty, rememberAttribute, rememberDescription } from './homie-memory.ts'
import { readHomieValue } from './homie-value.ts'
import { nameFault } from './names.ts'
import { payloadText } from './payload.ts'
import { plainValue } from './scalar.ts'
import { presence, saysNothing } from './presence-words.ts'
import { reject } from './reason.ts'
import { topicBase } from './topic-base.ts'

const options = z.strictObject({ base: topicBase('the base topic').default('homie') })

export const homieKind = adapterKind({
  name: 'homie',
  sentence: 'what devices of the Homie convention publish; devices and metrics are named by them',
  options,
  nameOptions: { device: 'always', metric: 'always' },
  decoder: ({ base }) => decoder(base),
})

function decoder(base: string): Adapter['decode'] {
  const root = `${base}/`
  return (payload, levels, message) => {
    if (!message.topic.startsWith(root)) return reject(`the topic does not begin with "${root}" (base)`)
    const path = message.topic.slice(root.length).split('/')
    // From version 5 on its number stands before the device.
    const [id = '', ...rest] = path[0] === '5' ? path.slice(1) : path
    if (id.startsWith('$')) return saysNothing
    const device = levels.get('device') ?? id
    const fault = nameFault('the device', device)
    if (fault !== undefined) return reject(fault)
    return decodePath(payload, { device, id, message }, rest)
  }
}

type Context = { readonly device: string; readonly id: string; readonly message: Message }

function decodePath(payload: Uint8Array, context: Context, path: readonly string[]): Decoded {
  const [first = '', second = '', third] = path
  if (first.startsWith('$')) return decodeDevice(payload, context, first, path.slice(1))
  if (path.length < 2 || second.startsWith('$')) return saysNothing
  const property = `${context.id}/${first}/${second}`
  if (path.length === 2) return decodeValue(payload, context, `${first}.${second}`, property)
  if (path.length > 3 || third === undefined || !third.startsWith('$')) return saysNothing
  const attribute = third.slice(1)
  if (attribute !== 'datatype' && attribute !== 'unit' && attribute !== 'format') return saysNothing
  const read = payload.length === 0 ? undefined : payloadText(payload)
  if (read !== undefined && !read.ok) return reject(read.reason)
  return remembering(rememberAttribute(context.message, property, attribute, read?.text))
}

function decodeDevice(payload: Uint8Array, context: Context, attribute: string, rest: readonly string[]): Decoded {
  if (payload.length === 0) return saysNothing
  if (attribute === '$state' && rest.length === 0) return decodeState(payload, context.device)
  if (attribute === '$description' && rest.length === 0) {
    return remembering(rememberDescription(context.message, context.id, payload))
  }
  const [statistic = ''] = rest
  if (attribute !== '$stats' || rest.length !== 1 || statistic === '' || statistic.startsWith('$')) return saysNothing
  const read = payloadText(payload)
  const value = read.ok ? plainValue(read.text) : undefined
  // More digits than a number holds say nothing either.
  return typeof value === 'number' && Number.isFinite(value)
    ? reading(context.device, `stats.${statistic}`, value, undefined)
    : saysNothing
}

/** What is remembered comes as changes, or as the reason why it was refused. */
function remembering(changes: string | readonly { readonly key: string; readonly value: Json | undefined }[]): Decoded {
  if (typeof changes === 'string') return reject(changes)
  return changes.length === 0 ? saysNothing : { ok: true, readings: [], more: { remember: changes } }
}

const states: ReadonlyMap<string, boolean> = new Map([
  ['init', true],
  ['ready', true],
  ['alert', true],
  ['sleeping', true],
  ['disconnected', false],
  ['lost', false],
])

function decodeState(payload: Uint8Array, device: string): Decoded {
  const read = payloadText(payload)
  const isOnline = read.ok ? states.get(read.text) : undefined
  return isOnline === undefined ? reject('$state is none of the convention') : presence(device, isOnline)
}

function decodeValue(payload: Uint8Array, { device, message }: Context, metric: string, property: string): Decoded {
  // A property that is taken back; an empty text is one byte of zero.
  if (payload.length === 0) return saysNothing
  const fault = nameFault('the metric', metric)
  if (fault !== undefined) return reject(fault)
  const read = payloadText(payload)
  if (!read.ok) return reject(read.reason)
  const known = recallProperty(message, property)
  const value = readHomieValue(read.text === '\0' ? '' : read.text, known)
  return value.ok ? reading(device, metric, value.value, known.unit) : reject(value.reason)
}

function reading(device: string, metric: string, value: Reading['value'], unit: string | undefined): Decoded {
  return { ok: true, readings: [{ device, metric, value, deviceTimeMs: undefined, id: undefined, unit }] }
}
