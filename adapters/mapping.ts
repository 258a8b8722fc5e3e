/**
 * From a decoded message, a tree as JSON.parse would give it, to readings, by a plan of where things stand. What `json`
 * and `cbor` share, and any other format whose payload is such a tree.
 *
 * A message is taken whole or rejected whole. Only own keys of the message are ever read. Never throws.
 */
import { readingsPerMessageMax, valueDepthMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import type { Decoded, Levels } from './adapter.ts'
import { deviceTimeMs } from './device-time.ts'
import { itemKey, type KeyPath, lookUp } from './key-path.ts'
import type { Plan } from './mapping-options.ts'
import { idFault, nameFault, unitFault } from './names.ts'
import { quoted, reject, tooManyReadings } from './reason.ts'
import { asValue, valueFault } from './value.ts'

export function readMapped(plan: Plan, message: unknown, levels: Levels): Decoded {
  const readings: Reading[] = []
  const fault =
    plan.each === undefined
      ? readMessage(plan, message, undefined, undefined, levels, readings)
      : readEach(plan, plan.each, message, levels, readings)
  return fault === undefined ? { ok: true, readings } : reject(fault)
}

function readEach(
  plan: Plan,
  each: KeyPath | 'message',
  message: unknown,
  levels: Levels,
  readings: Reading[],
): string | undefined {
  const found = each === 'message' ? message : lookUp(message, each)
  const name = each === 'message' ? 'the message' : `"${each.text}"`
  const isMap = plan.isKeyed && typeof found === 'object' && found !== null && !Array.isArray(found)
  if (!isMap && !Array.isArray(found)) {
    return `${name} is not a list${plan.isKeyed ? ' or map' : ''}${each === 'message' ? '' : keysFound(message)}`
  }
  const items: [string, unknown][] = Object.entries(found)
  if (items.length === 0) return `${name} is an empty ${isMap ? 'map' : 'list'}`
  if (items.length > readingsPerMessageMax) return tooManyReadings
  for (const [index, [key, item]] of items.entries()) {
    const fault = readMessage(plan, item, message, key, levels, readings)
    if (fault === undefined) continue
    return fault === tooManyReadings ? fault : `item ${isMap ? quoted([key]) : index + 1}: ${fault}`
  }
  return undefined
}

/** Adds the readings of one object (or bare value) to `readings`, or says what is wrong with it. */
function readMessage(
  plan: Plan,
  message: unknown,
  outer: unknown,
  key: string | undefined,
  levels: Levels,
  readings: Reading[],
): string | undefined {
  if (Array.isArray(message)) return 'the message is a list; say "each" in the route to read its items'
  const isBare = typeof message !== 'object' || message === null
  if (isBare && (!plan.isKeyed || plan.each === undefined)) return readBare(plan, message, levels, readings)

  const device = named(plan.device, message, outer, key) ?? levels.get('device')
  if (device === undefined) return missingName('device', plan.device)
  const deviceFault = nameFault('the device', device)
  if (deviceFault !== undefined) return deviceFault

  const rawTime = lookUp(message, plan.time) ?? lookUp(outer, plan.time) ?? undefined
  const timeMs = rawTime === undefined ? undefined : deviceTimeMs(rawTime, plan.timeFormat, plan.zoneOffset)
  if (typeof timeMs === 'string') return timeMs

  const rawId = lookUp(message, plan.id) ?? ''
  const id = nameOf(rawId)
  if (id === undefined) return 'the id is neither a text nor a number'
  // An empty id names nothing: taken as one it would make all readings that carry it the same.
  const wrongId = id === '' ? undefined : idFault(id)
  if (wrongId !== undefined) return wrongId

  const unit = lookUp(message, plan.unit) ?? ''
  if (typeof unit !== 'string') return 'the unit is not a text'
  const wrongUnit = unit === '' ? undefined : unitFault(unit)
  if (wrongUnit !== undefined) return wrongUnit

  const common: Common = {
    device,
    deviceTimeMs: timeMs,
    id: id === '' ? undefined : id,
    unit: unit === '' ? undefined : unit,
  }
  if (plan.values === undefined) return readOne(plan, message, key, levels, common, readings)
  if (isBare) return 'not an object'
  return plan.values === 'all'
    ? readAll(plan, message, common, readings)
    : readValues(plan.values, message, common, readings)
}

/** What all readings of one message share. */
type Common = Omit<Reading, 'metric' | 'value'>

function readOne(
  plan: Plan,
  message: unknown,
  key: string | undefined,
  levels: Levels,
  common: Common,
  readings: Reading[],
): string | undefined {
  const metric = named(plan.metric, message, undefined, key) ?? levels.get('metric')
  if (metric === undefined) return missingName('metric', plan.metric)
  const fault = nameFault('the metric', metric)
  if (fault !== undefined) return fault
  const isObject = typeof message === 'object' && message !== null
  const value = isObject ? lookUp(message, plan.value) : message
  if (value === undefined) return `there is no "${plan.value.text}"${keysFound(message)}`
  const wrong = valueFault(value)
  if (wrong !== undefined) return isObject ? `"${plan.value.text}" ${wrong}` : `the value ${wrong}`
  const { device, deviceTimeMs, id, unit } = common
  readings.push({ device, metric, value: asValue(value), deviceTimeMs, id, unit })
  return undefined
}

function readValues(
  values: readonly { metric: string; path: KeyPath }[],
  message: object,
  common: Common,
  readings: Reading[],
): string | undefined {
  const before = readings.length
  for (const { metric, path } of values) {
    const value = lookUp(message, path) ?? undefined
    if (value === undefined) continue
    const wrong = valueFault(value)
    if (wrong !== undefined) return `"${path.text}" ${wrong}`
    if (readings.length >= readingsPerMessageMax) return tooManyReadings
    readings.push(oneOfMany(common, metric, value))
  }
  if (readings.length > before) return undefined
  return `none of the values is there: ${quoted(values.map(({ path }) => path.text))}${keysFound(message)}`
}

/** One message has one id, but each of its readings is stored once for itself [I10]. */
function oneOfMany({ device, deviceTimeMs, id, unit }: Common, metric: string, value: unknown): Reading {
  const ownId = id === undefined ? undefined : `${id}/${metric}`
  return { device, metric, value: asValue(value), deviceTimeMs, id: ownId, unit }
}

/** Every number, switch and text of the message, but for what the plan says is something else. */
function readAll(plan: Plan, message: object, common: Common, readings: Reading[]): string | undefined {
  const before = readings.length
  const others = new Set([plan.time, plan.id, plan.unit, plan.device].map(path => path?.keys.join('.')))
  const fault = readLeaves(message, '', 1, others, common, readings)
  if (fault !== undefined) return fault
  return readings.length > before ? undefined : `there is no value in it${keysFound(message)}`
}

function readLeaves(
  node: object,
  prefix: string,
  depth: number,
  others: ReadonlySet<string | undefined>,
  common: Common,
  readings: Reading[],
): string | undefined {
  if (depth > valueDepthMax) return `the message is nested more than ${valueDepthMax} deep`
  for (const [key, child] of Object.entries(node)) {
    const metric = prefix + key
    if (child === null || child === undefined || others.has(metric)) continue
    if (typeof child === 'object') {
      const fault = readLeaves(child as object, `${metric}.`, depth + 1, others, common, readings)
      if (fault !== undefined) return fault
      continue
    }
    const fault = nameFault('the metric', metric)
    if (fault !== undefined) return `${quoted([metric])}: ${fault}`
    const wrong = valueFault(child)
    if (wrong !== undefined) return `${quoted([metric])} ${wrong}`
    if (readings.length >= readingsPerMessageMax) return tooManyReadings
    readings.push(oneOfMany(common, metric, child))
  }
  return undefined
}

/** A payload that is only a number, switch or text: nothing in it can say more, so the topic must. */
function readBare(plan: Plan, value: unknown, levels: Levels, readings: Reading[]): string | undefined {
  if (plan.values !== undefined || plan.each !== undefined) return 'not an object'
  const wrong = valueFault(value)
  if (wrong !== undefined) return `the value ${wrong}`
  const device = levels.get('device')
  const metric = levels.get('metric')
  if (device === undefined || metric === undefined) return 'not an object'
  const fault = nameFault('the device', device) ?? nameFault('the metric', metric)
  if (fault !== undefined) return fault
  readings.push({ device, metric, value: asValue(value), deviceTimeMs: undefined, id: undefined, unit: undefined })
  return undefined
}

function named(
  path: KeyPath | undefined,
  message: unknown,
  outer: unknown,
  key: string | undefined,
): string | undefined {
  if (path === undefined) return undefined
  return path.text === itemKey ? key : nameOf(lookUp(message, path) ?? lookUp(outer, path))
}

function nameOf(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw
  return typeof raw === 'number' && Number.isFinite(raw) ? String(raw) : undefined
}

function missingName(what: string, path: KeyPath | undefined): string {
  return path === undefined
    ? `the topic names no {${what}} and the route has no fields.${what}`
    : `there is no ${what} at "${path.text}"`
}

function keysFound(message: unknown): string {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return ''
  const keys = Object.keys(message)
  return keys.length === 0 ? ' (the message is empty)' : ` (the message has ${quoted(keys)})`
}
