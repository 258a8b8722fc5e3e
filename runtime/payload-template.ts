/**
 * A user's template for the messages of a plain broker: a text such as `{value}`, or a map such as
 * `{t: "{time_ms}", v: "{value}"}`, whose fields keep the type of what they name. Pure.
 *
 * Braces around anything but a name stay as they are, for a text may be JSON of its own. What an entry does not have is
 * left out of a map, and is nothing in a text.
 */
import type { Json } from './reading.ts'

const sharedNames = ['gateway', 'table', 'origin', 'seq', 'stamp_ms', 'time', 'value'] as const

/** What a template may name, by the kind of its table. */
export const payloadNames = {
  series: [...sharedNames, 'device', 'metric', 'unit', 'time_ms', 'arrival_ms', 'device_time_ms', 'id'],
  records: [...sharedNames, 'key', 'deleted'],
} as const

export type PayloadName = (typeof payloadNames)['series' | 'records'][number]
export type PayloadValues = Readonly<Partial<Record<PayloadName, Json>>>

const anyName = /\{([a-z_]+)\}/g

/** All names in a template. */
export function namesInPayload(template: Json): string[] {
  if (typeof template === 'string') return [...template.matchAll(anyName)].map(([, name = '']) => name)
  if (typeof template !== 'object' || template === null) return []
  return Object.values(template).flatMap(namesInPayload)
}

/** A text with the values put in: texts as they are, everything else as JSON. */
export function fillText(template: string, values: PayloadValues): string {
  return template.replace(anyName, (_all, name: string) => {
    const value = values[name as PayloadName]
    if (value === undefined) return ''
    return typeof value === 'string' ? value : JSON.stringify(value)
  })
}

/** The same for a whole value; undefined where its one name has nothing to say. */
export function fill(template: Json, values: PayloadValues): Json | undefined {
  if (typeof template === 'string') {
    const alone = /^\{([a-z_]+)\}$/.exec(template)?.[1]
    return alone === undefined ? fillText(template, values) : values[alone as PayloadName]
  }
  if (typeof template !== 'object' || template === null) return template
  if (isList(template)) return template.map(item => fill(item, values) ?? null)
  const fields = Object.entries(template).flatMap(([field, inner]): [string, Json][] => {
    const value = fill(inner, values)
    return value === undefined ? [] : [[field, value]]
  })
  return Object.fromEntries(fields)
}

const isList = (value: Json): value is readonly Json[] => Array.isArray(value)
