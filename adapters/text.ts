/**
 * The `text` adapter: the payload as one text, or taken apart at a separator. No quotes, no patterns: what needs those is
 * JSON's work.
 *
 *   open                               one text; the topic gives both names
 *   1767225600,21.5,40                 `parts: ['{time}', temperature, humidity]`: what stands at which place
 *   t=21.5;rh=40;fw=1.2                `parts: {t: temperature, rh: humidity}`, `separator: ;`: what stands under which key
 *   temperature=21.5,humidity=40       `parts: all`: every key is a metric
 *
 * Numbers and switches are read as such, all else is a text. Where `parts` is set, each line is a message of its own; a
 * payload is taken whole or rejected whole.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import { zoneOffsets } from '../runtime/schedule.ts'
import type { Reading } from '../runtime/reading.ts'
import { adapterKind, type Decoded, type Levels } from './adapter.ts'
import { deviceTimeMs, type TimeFormat, timeFormats, type ZoneOffset } from './device-time.ts'
import { metricName, timeZone } from './mapping-options.ts'
import { idFault, nameFault, unitFault } from './names.ts'
import { payloadText } from './payload.ts'
import { quoted, reject, tooManyReadings } from './reason.ts'
import { scalarOf } from './scalar.ts'
import { asValue, valueFault } from './value.ts'

/** What a part may be, beside the value of a metric. */
const roles = ['{time}', '{id}', '{unit}', '{device}', '{metric}', '{value}', '-'] as const
type Role = (typeof roles)[number]

const field = z.union([z.enum(roles), metricName])
const mark = z.string().min(1, 'may not be empty').max(8)

export const textOptions = z.strictObject({
  parts: z
    .union([
      z.literal('all', 'write all, a list of names, or keys with names'),
      z.array(field).min(1).max(readingsPerMessageMax),
      z.record(z.string().min(1).max(128), field),
    ])
    .optional()
    .describe(
      'Takes each line apart. A list names what stands at each place, a map what stands under each key (others are left out), `all` takes every key as a metric. A name is that of a metric, or {time}, {id}, {unit}, {device}, {metric}, {value}, or - for what is not wanted. Left out: the payload is one text.',
    ),
  separator: mark.default(',').describe('What stands between the parts of a line.'),
  pairs: mark.default('=').describe('What stands between a key and its value, where the parts have keys.'),
  time_format: z
    .enum(timeFormats)
    .default('auto')
    .describe(
      'How the time is written; auto takes numbers from 1e11 on as milliseconds, smaller ones as seconds, and texts as ISO 8601.',
    ),
  time_zone: timeZone.default('UTC').describe('The time zone of times in ISO 8601 form that name none.'),
})

type Plan = {
  readonly places: readonly string[] | undefined
  readonly keys: ReadonlyMap<string, string> | 'all' | undefined
  readonly separator: string
  readonly pairs: string
  readonly timeFormat: TimeFormat
  readonly zoneOffset: ZoneOffset | undefined
}

export const textKind = adapterKind({
  name: 'text',
  sentence: 'the payload is one text, or parts of a line with separators',
  options: textOptions,
  nameOptions: { device: ['parts'], metric: ['parts'] },
  decoder: ({ parts, separator, pairs, time_format, time_zone }) => {
    const plan: Plan = {
      places: Array.isArray(parts) ? parts : undefined,
      keys: parts === undefined || Array.isArray(parts) ? undefined : parts === 'all' ? parts : mapOf(parts),
      separator,
      pairs,
      timeFormat: time_format,
      zoneOffset: time_zone === 'UTC' ? undefined : zoneOffsets(time_zone),
    }
    return (payload, levels) => {
      const read = payloadText(payload)
      if (!read.ok) return reject(read.reason)
      return parts === undefined ? readWhole(read.text.trim(), levels) : readLines(plan, read.text, levels)
    }
  },
})

const mapOf = (parts: Readonly<Record<string, string>>): ReadonlyMap<string, string> => new Map(Object.entries(parts))

function readWhole(value: string, levels: Levels): Decoded {
  const device = levels.get('device') ?? ''
  const metric = levels.get('metric') ?? ''
  const fault = nameFault('the device', device) ?? nameFault('the metric', metric)
  if (fault !== undefined) return reject(fault)
  if (value === '') return reject('the payload is empty')
  const wrong = valueFault(value)
  if (wrong !== undefined) return reject(`the value ${wrong}`)
  return { ok: true, readings: [{ device, metric, value, deviceTimeMs: undefined, id: undefined, unit: undefined }] }
}

function readLines(plan: Plan, text: string, levels: Levels): Decoded {
  const readings: Reading[] = []
  let number = 0
  for (let at = 0; at < text.length; ) {
    const end = text.indexOf('\n', at)
    const line = text.slice(at, end === -1 ? text.length : end).trim()
    at = end === -1 ? text.length : end + 1
    number += 1
    if (line === '') continue
    const fault = readLine(plan, line, levels, readings)
    if (fault === tooManyReadings) return reject(fault)
    if (fault !== undefined) return reject(number === 1 && at === text.length ? fault : `line ${number}: ${fault}`)
  }
  return readings.length > 0 ? { ok: true, readings } : reject('the payload is empty')
}

/** What a line said, by role, and its values by metric. */
type Line = { readonly roles: Map<Role, string>; readonly values: [metric: string, text: string][] }

function readLine(plan: Plan, text: string, levels: Levels, readings: Reading[]): string | undefined {
  // One more than may be: what comes behind is not even split.
  const parts = text.split(plan.separator, readingsPerMessageMax + 1)
  if (parts.length > readingsPerMessageMax) return tooManyReadings
  const line: Line = { roles: new Map(), values: [] }
  const fault = plan.places ? byPlace(plan.places, parts, line) : byKey(plan, parts, line)
  return fault ?? addLine(plan, line, levels, readings)
}

function byPlace(places: readonly string[], parts: readonly string[], line: Line): string | undefined {
  if (parts.length !== places.length) return `number of parts: ${parts.length}, and the route names ${places.length}`
  for (const [index, part] of parts.entries()) put(line, places[index] ?? '-', part.trim())
  return undefined
}

function byKey({ keys, pairs }: Plan, parts: readonly string[], line: Line): string | undefined {
  for (const part of parts) {
    if (part.trim() === '') continue
    const at = part.indexOf(pairs)
    if (at === -1) return `there is no "${pairs}" in ${quoted([part.trim()])}`
    const key = part.slice(0, at).trim()
    const name = keys === 'all' ? key : (keys?.get(key) ?? '-')
    put(line, name, part.slice(at + pairs.length).trim(), keys === 'all')
  }
  return undefined
}

/** A part that is empty says nothing. A role is what the route calls so, never what a payload does. */
function put(line: Line, name: string, text: string, isMetric = false): void {
  if (text === '' || (name === '-' && !isMetric)) return
  if (!isMetric && isRole(name)) line.roles.set(name, text)
  else line.values.push([name, text])
}

const isRole = (name: string): name is Role => (roles as readonly string[]).includes(name)

function addLine(plan: Plan, { roles: said, values }: Line, levels: Levels, readings: Reading[]): string | undefined {
  const device = said.get('{device}') ?? levels.get('device')
  if (device === undefined) return 'neither the topic nor "parts" names a {device}'
  const rawTime = said.get('{time}')
  const timeMs = rawTime === undefined ? undefined : timeOf(rawTime, plan)
  if (typeof timeMs === 'string') return timeMs
  const id = said.get('{id}')
  const unit = said.get('{unit}')
  const fault =
    nameFault('the device', device) ??
    (id === undefined ? undefined : idFault(id)) ??
    (unit === undefined ? undefined : unitFault(unit))
  if (fault !== undefined) return fault

  const value = said.get('{value}')
  if (value !== undefined) values.push([said.get('{metric}') ?? levels.get('metric') ?? '', value])
  if (values.length === 0) return 'there is no value in it'
  for (const [metric, text] of values) {
    const wrongName = nameFault('the metric', metric)
    if (wrongName !== undefined) return wrongName
    const parsed = scalarOf(text) ?? text
    const wrong = valueFault(parsed)
    if (wrong !== undefined) return `${quoted([metric])} ${wrong}`
    if (readings.length >= readingsPerMessageMax) return tooManyReadings
    // One line has one id, but each of its readings is stored once for itself [I10].
    const ownId = id === undefined || values.length === 1 ? id : `${id}/${metric}`
    readings.push({ device, metric, value: asValue(parsed), deviceTimeMs: timeMs, id: ownId, unit })
  }
  return undefined
}

function timeOf(text: string, { timeFormat, zoneOffset }: Plan): number | string {
  const number = timeFormat === 'auto' ? scalarOf(text) : undefined
  return deviceTimeMs(typeof number === 'number' ? number : text, timeFormat, zoneOffset)
}
