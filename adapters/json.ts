/**
 * The `json` adapter: one JSON message becomes one reading, or many.
 *
 *   {"value": 21.5, "time": 1767225600, "id": "a7", "unit": "°C"}     one reading (`fields` says where things stand)
 *   {"temp": {"c": 21.5}, "hum": 40}                                  many, with `values: {temperature: temp.c, humidity: hum}`
 *   {"items": [{"value": 1}, {"value": 2}]}                           many, with `each: items`
 *   21.5                                                              a bare value, where the topic gives both names
 *
 * A message is taken whole or rejected whole. Only own keys of the message are ever read.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Levels } from './adapter.ts'
import { deviceTimeMs, type TimeFormat, timeFormats } from './device-time.ts'
import { parseJson, printable, reject } from './json-text.ts'
import { type KeyPath, keyPath, lookUp } from './key-path.ts'
import { idFault, nameFault, unitFault } from './names.ts'
import { asValue, valueFault } from './value.ts'

const path = z
  .string()
  .min(1, 'a path may not be empty')
  .max(256, 'a path has at most 256 characters')
  .refine(text => text.split('.').every(step => step !== ''), 'write a path as keys joined by dots, such as temp.c')
const pathOrNone = z.union([z.literal(''), path])

export const jsonOptions = z.strictObject({
  fields: z
    .strictObject({
      value: path.default('value').describe('Where the value stands.'),
      time: pathOrNone
        .default('time')
        .describe('Where the time of the device stands, if there is one; "" looks for none.'),
      id: pathOrNone
        .default('id')
        .describe(
          'Where the id of the message stands, if there is one: the same id again is the same reading. "" looks for none.',
        ),
      unit: pathOrNone.default('unit').describe('Where the unit stands, if there is one; "" looks for none.'),
      device: path.optional().describe('Where the name of the device stands, if it is not in the topic.'),
      metric: path.optional().describe('Where the name of the metric stands, if it is not in the topic.'),
    })
    .prefault({})
    .describe('Where things stand in the message, as keys joined by dots.'),
  values: z
    .record(
      z.string().superRefine((name, context) => {
        const message = nameFault('the metric', name)
        if (message) context.addIssue({ code: 'custom', message })
      }),
      path,
    )
    .refine(values => Object.keys(values).length > 0, 'name at least one metric, or leave "values" out')
    .refine(values => Object.keys(values).length <= readingsPerMessageMax, `at most ${readingsPerMessageMax} metrics`)
    .optional()
    .describe(
      'Many readings from one message: the name of each metric and where its value stands; one that is missing or null is left out.',
    ),
  each: z
    .union([z.literal(''), z.literal('.'), path])
    .optional()
    .describe(
      'Where a list of such messages stands; "." if the message itself is the list. Time and device are taken from the message around it where an item has none.',
    ),
  time_format: z
    .enum(timeFormats)
    .default('auto')
    .describe(
      'How the time is written; auto takes numbers from 1e11 on as milliseconds, smaller ones as seconds, and texts as ISO 8601.',
    ),
})

/** The options made ready for use. A path that is undefined is looked up nowhere. */
type Plan = {
  readonly value: KeyPath
  readonly time: KeyPath | undefined
  readonly id: KeyPath | undefined
  readonly unit: KeyPath | undefined
  readonly device: KeyPath | undefined
  readonly metric: KeyPath | undefined
  readonly values: readonly { metric: string; path: KeyPath }[] | undefined
  readonly each: KeyPath | 'message' | undefined
  readonly timeFormat: TimeFormat
}
export const jsonKind = adapterKind({
  name: 'json',
  sentence: 'the payload is JSON: one reading, or many',
  options: jsonOptions,
  nameOptions: { device: ['fields.device'], metric: ['fields.metric', 'values'] },
  decoder: options => jsonDecoder(planOf(options)),
})

function planOf({ fields, values, each, time_format }: z.output<typeof jsonOptions>): Plan {
  const optional = (text: string | undefined): KeyPath | undefined => (text ? keyPath(text) : undefined)
  return {
    value: keyPath(fields.value),
    time: optional(fields.time),
    id: optional(fields.id),
    unit: optional(fields.unit),
    device: optional(fields.device),
    metric: optional(fields.metric),
    values: values && Object.entries(values).map(([metric, text]) => ({ metric, path: keyPath(text) })),
    each: each === '' || each === '.' ? 'message' : optional(each),
    timeFormat: time_format,
  }
}

function jsonDecoder(plan: Plan): Adapter['decode'] {
  return (payload, levels) => {
    const parsed = parseJson(payload)
    if (!parsed.ok) return reject(parsed.reason)
    const readings: Reading[] = []
    const fault =
      plan.each === undefined
        ? readMessage(plan, parsed.message, undefined, levels, readings)
        : readEach(plan, plan.each, parsed.message, levels, readings)
    return fault === undefined ? { ok: true, readings } : reject(fault)
  }
}

function readEach(
  plan: Plan,
  each: KeyPath | 'message',
  message: unknown,
  levels: Levels,
  readings: Reading[],
): string | undefined {
  const items = each === 'message' ? message : lookUp(message, each)
  const name = each === 'message' ? 'the message' : `"${each.text}"`
  if (!Array.isArray(items)) return `${name} is not a list${each === 'message' ? '' : keysFound(message)}`
  if (items.length === 0) return `${name} is an empty list`
  if (items.length > readingsPerMessageMax) return tooMany
  for (const [index, item] of items.entries()) {
    const fault = readMessage(plan, item, message, levels, readings)
    if (fault !== undefined) return fault === tooMany ? fault : `item ${index + 1}: ${fault}`
  }
  return undefined
}

/** Adds the readings of one object (or bare value) to `readings`, or says what is wrong with it. */
function readMessage(
  plan: Plan,
  message: unknown,
  outer: unknown,
  levels: Levels,
  readings: Reading[],
): string | undefined {
  if (Array.isArray(message)) return 'the message is a list; say "each" in the route to read its items'
  if (typeof message !== 'object' || message === null) return readBare(plan, message, levels, readings)

  const device = nameOf(lookUp(message, plan.device) ?? lookUp(outer, plan.device)) ?? levels.get('device')
  if (device === undefined) return missingName('device', plan.device)
  const deviceFault = nameFault('the device', device)
  if (deviceFault !== undefined) return deviceFault

  const rawTime = lookUp(message, plan.time) ?? lookUp(outer, plan.time) ?? undefined
  const timeMs = rawTime === undefined ? undefined : deviceTimeMs(rawTime, plan.timeFormat)
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
  return plan.values === undefined
    ? readOne(plan, message, levels, common, readings)
    : readValues(plan.values, message, common, readings)
}

/** What all readings of one message share. */
type Common = Omit<Reading, 'metric' | 'value'>

function readOne(plan: Plan, message: object, levels: Levels, common: Common, readings: Reading[]): string | undefined {
  const metric = nameOf(lookUp(message, plan.metric)) ?? levels.get('metric')
  if (metric === undefined) return missingName('metric', plan.metric)
  const fault = nameFault('the metric', metric)
  if (fault !== undefined) return fault
  const value = lookUp(message, plan.value)
  if (value === undefined) return `there is no "${plan.value.text}"${keysFound(message)}`
  const wrong = valueFault(value)
  if (wrong !== undefined) return `"${plan.value.text}" ${wrong}`
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
  const { device, deviceTimeMs, id, unit } = common
  for (const { metric, path } of values) {
    const value = lookUp(message, path) ?? undefined
    if (value === undefined) continue
    const wrong = valueFault(value)
    if (wrong !== undefined) return `"${path.text}" ${wrong}`
    if (readings.length >= readingsPerMessageMax) return tooMany
    // One message has one id, but each of its readings is stored once for itself [I10].
    readings.push({
      device,
      metric,
      value: asValue(value),
      deviceTimeMs,
      id: id === undefined ? undefined : `${id}/${metric}`,
      unit,
    })
  }
  if (readings.length > before) return undefined
  return `none of the values is there: ${quoted(values.map(({ path }) => path.text))}${keysFound(message)}`
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

function nameOf(raw: unknown): string | undefined {
  if (typeof raw === 'string') return raw
  return typeof raw === 'number' && Number.isFinite(raw) ? String(raw) : undefined
}

const tooMany = `more than ${readingsPerMessageMax} readings in one message`

function missingName(what: string, path: KeyPath | undefined): string {
  return path === undefined
    ? `the topic names no {${what}} and the route has no fields.${what}`
    : `there is no ${what} at "${path.text}"`
}

/** What was there instead, for the person who wrote the route. */
function keysFound(message: unknown): string {
  if (typeof message !== 'object' || message === null || Array.isArray(message)) return ''
  const keys = Object.keys(message)
  return keys.length === 0 ? ' (the message is empty)' : ` (the message has ${quoted(keys)})`
}

function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 5).map(name => `"${printable(name.slice(0, 40))}"`)
  return shown.join(', ') + (names.length > shown.length ? ', …' : '')
}
