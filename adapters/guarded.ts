/**
 * Adapters that others wrote: looked at once when they are loaded, and at each message again. Whatever such an adapter does
 * within one call, a message becomes sound readings or a refusal with its reason; it never throws here, changes nothing
 * that is ours, and gives no more than an adapter may. What this cannot stop is a call that never returns. Pure.
 */
import { z } from 'zod'
import { deviceTimeMsEnd, readingsPerMessageMax } from '../runtime/limits.ts'
import type { Json, Reading } from '../runtime/reading.ts'
import type { Adapter, AdapterKind, Decoded, More, Presence, Reply } from './adapter.ts'
import { idFault, nameFault, unitFault } from './names.ts'
import { reject, tooManyReadings } from './reason.ts'
import { asValue, valueFault } from './value.ts'

export type Guarded =
  | { readonly ok: true; readonly kind: AdapterKind }
  | { readonly ok: false; readonly reason: string }

/** What every route has; the options of an adapter must have other names. */
const routeKeys = ['topic', 'table', 'adapter', 'metrics']
/** What one message may want remembered, or answered. */
const moreMax = readingsPerMessageMax

/**
 * `exported` is what a module calls `adapter`: an AdapterKind, or a function that is given `{ z }` and returns one.
 * `routeName` is what routes call it.
 */
export function guardedKind(exported: unknown, routeName: string): Guarded {
  try {
    const given: unknown = typeof exported === 'function' ? (exported as (tools: object) => unknown)({ z }) : exported
    if (!isObject(given)) return bad('it has no export called "adapter" that is an adapter')
    const { name, sentence, options, nameOptions } = given
    if (typeof name !== 'string') return bad('its "name" is not a text')
    const wrongName = nameFault('its name', name)
    if (wrongName !== undefined) return bad(wrongName)
    if (typeof given['open'] !== 'function') return bad('its "open" is not a function')
    const schema = options === undefined ? z.strictObject({}) : asSchema(options)
    if (schema === undefined) return bad('its "options" are not a z.object of zod 4')
    const taken = routeKeys.find(key => Object.hasOwn(schema.shape, key))
    if (taken !== undefined) return bad(`its options have the key "${taken}", which every route has`)
    const names = asNameOptions(nameOptions)
    if (names === undefined) return bad('its "nameOptions" are not { device: [keys], metric: [keys] } or "always"')
    return {
      ok: true,
      kind: {
        name: routeName,
        sentence: typeof sentence === 'string' ? sentence : `what ${name} makes of the payload`,
        options: schema,
        nameOptions: names,
        open: chosen => guarded(name, opened(given, chosen)),
      },
    }
  } catch (error) {
    return bad(`it fails: ${textOf(error)}`)
  }
}

function opened(kind: Fields, options: unknown): Fields {
  const adapter = (kind['open'] as (options: unknown) => unknown).call(kind, options)
  if (isObject(adapter) && typeof adapter['decode'] === 'function') return adapter
  throw new Error('its "open" returns nothing that has a function "decode"')
}

type Fields = Readonly<Record<string, unknown>>

const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null

const bad = (reason: string): Guarded => ({ ok: false, reason })

function asSchema(options: unknown): z.ZodObject | undefined {
  if (!isObject(options) || !isObject(options['_zod']) || !isObject(options['shape'])) return undefined
  const isSound = Object.values(options['shape']).every(field => isObject(field) && isObject(field['_zod']))
  return isSound ? (options as unknown as z.ZodObject) : undefined
}

function asNameOptions(given: unknown): AdapterKind['nameOptions'] | undefined {
  if (given === undefined) return { device: [], metric: [] }
  if (!isObject(given)) return undefined
  const one = (names: unknown): readonly string[] | 'always' | undefined => {
    if (names === undefined) return []
    if (names === 'always') return names
    return Array.isArray(names) && names.every(name => typeof name === 'string') ? names : undefined
  }
  const [device, metric] = [one(given['device']), one(given['metric'])]
  return device === undefined || metric === undefined ? undefined : { device, metric }
}

function guarded(name: string, adapter: Fields): Adapter {
  const decode = adapter['decode'] as (...args: unknown[]) => unknown
  return {
    name,
    decode: (payload, levels, message) => {
      try {
        // Copies: the payload goes on to subscribers, and the levels are those of every message of this topic.
        const { topic, retain, arrivalMs } = message
        const about = { topic, retain, arrivalMs, recall: (key: string) => message.recall(key) }
        return sound(decode.call(adapter, Buffer.from(payload), new Map(levels), about))
      } catch (error) {
        return reject(`the adapter fails: ${textOf(error)}`)
      }
    },
  }
}

/** What was thrown may be anything, even something that throws when it is looked at. */
function textOf(error: unknown): string {
  try {
    return error instanceof Error ? error.message : String(error)
  } catch {
    return 'with what has no text'
  }
}

function sound(given: unknown): Decoded {
  if (!isObject(given) || typeof given['ok'] !== 'boolean') {
    return reject('the adapter gives neither { ok: true, readings } nor { ok: false, reason }')
  }
  const more = given['more'] === undefined ? undefined : soundMore(given['more'])
  if (typeof more === 'string') return reject(`the adapter gives ${more}`)
  if (!given['ok']) {
    const reason = typeof given['reason'] === 'string' && given['reason'] !== '' ? given['reason'] : 'without a reason'
    return more === undefined ? reject(reason) : { ...reject(reason), more }
  }
  const list = given['readings']
  if (!Array.isArray(list)) return reject('the adapter gives no list of readings')
  if (list.length > readingsPerMessageMax) return reject(tooManyReadings)
  if (list.length === 0 && more === undefined) return reject('the adapter gives no reading')
  const readings: Reading[] = []
  for (const [index, one] of (list as readonly unknown[]).entries()) {
    const reading = soundReading(one)
    if (typeof reading === 'string') return reject(`the adapter gives as reading ${index + 1} ${reading}`)
    readings.push(reading)
  }
  return more === undefined ? { ok: true, readings } : { ok: true, readings, more }
}

/** The reading, made anew, or what it is instead. */
function soundReading(given: unknown): Reading | string {
  if (!isObject(given)) return 'what is none'
  const { device, metric, value } = given
  const deviceTimeMs = given['deviceTimeMs'] ?? undefined
  const id = given['id'] ?? undefined
  const unit = given['unit'] ?? undefined
  if (typeof device !== 'string' || typeof metric !== 'string') return 'one without device and metric'
  const fault = nameFault('the device', device) ?? nameFault('the metric', metric)
  if (fault !== undefined) return `one that cannot be stored: ${fault}`
  const wrong = valueFault(value)
  if (wrong !== undefined) return `one whose value ${wrong}`
  if (deviceTimeMs !== undefined && !isTime(deviceTimeMs)) return 'one whose deviceTimeMs is no time'
  if (id !== undefined && (typeof id !== 'string' || idFault(id) !== undefined)) return 'one whose id is none'
  if (unit !== undefined && (typeof unit !== 'string' || unitFault(unit) !== undefined)) return 'one whose unit is none'
  // Through JSON: what is not plain data would meet the store later.
  const plain = typeof value === 'object' ? (JSON.parse(JSON.stringify(value)) as unknown) : value
  if (valueFault(plain) !== undefined) return 'one whose value is no plain data'
  return { device, metric, value: asValue(plain), deviceTimeMs, id, unit }
}

const isTime = (given: unknown): given is number =>
  typeof given === 'number' && Number.isInteger(given) && given >= 0 && given < deviceTimeMsEnd

/** What a message said beside its readings, made anew, or what is wrong with it. */
function soundMore(given: unknown): More | string {
  if (!isObject(given)) return '"more" that is none'
  const remember: { key: string; value: Json | undefined }[] = []
  for (const one of listOf(given['remember'])) {
    if (!isObject(one) || typeof one['key'] !== 'string') return '"remember" that is none'
    const { key, value } = one
    remember.push({ key, value: value === undefined ? undefined : (JSON.parse(JSON.stringify(value)) as Json) })
  }
  const presence: Presence[] = []
  for (const one of listOf(given['presence'])) {
    if (!isObject(one) || typeof one['device'] !== 'string' || typeof one['isOnline'] !== 'boolean') {
      return '"presence" that is none'
    }
    if (nameFault('the device', one['device']) !== undefined) return '"presence" of a device that cannot be named so'
    presence.push({ device: one['device'], isOnline: one['isOnline'] })
  }
  const replies: Reply[] = []
  for (const one of listOf(given['replies'])) {
    const { topic, payload, qos } = isObject(one) ? one : {}
    const isPayload = typeof payload === 'string' || payload instanceof Uint8Array
    if (typeof topic !== 'string' || topic === '' || /[+#\0]/.test(topic) || !isPayload || (qos !== 0 && qos !== 1)) {
      return '"replies" that are none'
    }
    replies.push({ topic, payload, qos })
  }
  if (Math.max(remember.length, presence.length, replies.length) > moreMax) return 'too much beside its readings'
  return {
    ...(remember.length > 0 ? { remember } : {}),
    ...(presence.length > 0 ? { presence } : {}),
    ...(replies.length > 0 ? { replies } : {}),
  }
}

/** Cut off one past the bound, which is looked at when all are gathered. */
function listOf(given: unknown): readonly unknown[] {
  return Array.isArray(given) ? (given as readonly unknown[]).slice(0, moreMax + 1) : []
}
