/**
 * The options of adapters whose payload is a tree of keys and values (`json`, `cbor`): where in it the value, the time
 * and the names stand. Checked when the configuration is read, made ready for use once, when a route is opened. Pure.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import { isTimeZone, zoneOffsets } from '../runtime/schedule.ts'
import { type TimeFormat, timeFormats, type ZoneOffset } from './device-time.ts'
import { itemKey, type KeyPath, keyPath, keysOf } from './key-path.ts'
import { nameFault } from './names.ts'

const path = z
  .string()
  .min(1, 'a path may not be empty')
  .max(256, 'a path has at most 256 characters')
  .refine(text => keysOf(text).every(step => step !== ''), 'write a path as keys joined by dots, such as temp.c')
const pathOrNone = z.union([z.literal(''), path])

export const metricName = z.string().superRefine((name, context) => {
  const message = nameFault('the metric', name)
  if (message) context.addIssue({ code: 'custom', message })
})

export const timeZone = z
  .string()
  .refine(isTimeZone, 'this machine knows no such time zone: write one such as UTC or Europe/Berlin')

const namedValues = z
  .record(metricName, path)
  .refine(values => Object.keys(values).length > 0, 'name at least one metric, or leave "values" out')
  .refine(values => Object.keys(values).length <= readingsPerMessageMax, `at most ${readingsPerMessageMax} metrics`)

export const mappingOptions = z.strictObject({
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
      device: path
        .optional()
        .describe(
          `Where the name of the device stands, if it is not in the topic; ${itemKey} is the key of an item of "each".`,
        ),
      metric: path
        .optional()
        .describe(
          `Where the name of the metric stands, if it is not in the topic; ${itemKey} is the key of an item of "each".`,
        ),
    })
    .prefault({})
    .describe(
      String.raw`Where things stand in the message, as keys joined by dots; \. is a dot that is part of a key.`,
    ),
  values: z
    .union([z.literal('all', 'write all, or names of metrics and where each stands'), namedValues])
    .optional()
    .describe(
      'Many readings from one message: the name of each metric and where its value stands; one that is missing or null is left out. `all` takes every number, switch and text under its own key, inner ones as keys joined by dots.',
    ),
  each: z
    .union([z.literal(''), z.literal('.'), path])
    .optional()
    .describe(
      'Where a list of such messages stands, or a map of them by key; "." if the message itself is that. Time and device are taken from the message around it where an item has none.',
    ),
  time_format: z
    .enum(timeFormats)
    .default('auto')
    .describe(
      'How the time is written; auto takes numbers from 1e11 on as milliseconds, smaller ones as seconds, and texts as ISO 8601.',
    ),
  time_zone: timeZone.default('UTC').describe('The time zone of times in ISO 8601 form that name none.'),
})

export const mappingNameOptions = { device: ['fields.device'], metric: ['fields.metric', 'values'] } as const

/** The options made ready for use. A path that is undefined is looked up nowhere. */
export type Plan = {
  readonly value: KeyPath
  readonly time: KeyPath | undefined
  readonly id: KeyPath | undefined
  readonly unit: KeyPath | undefined
  readonly device: KeyPath | undefined
  readonly metric: KeyPath | undefined
  readonly values: readonly { metric: string; path: KeyPath }[] | 'all' | undefined
  readonly each: KeyPath | 'message' | undefined
  /** Is the key of an item one of its names? Then a map of items will do, and an item may be a bare value. */
  readonly isKeyed: boolean
  readonly timeFormat: TimeFormat
  readonly zoneOffset: ZoneOffset | undefined
}

export function planOf({ fields, values, each, time_format, time_zone }: z.output<typeof mappingOptions>): Plan {
  const optional = (text: string | undefined): KeyPath | undefined => (text ? keyPath(text) : undefined)
  return {
    value: keyPath(fields.value),
    time: optional(fields.time),
    id: optional(fields.id),
    unit: optional(fields.unit),
    device: optional(fields.device),
    metric: optional(fields.metric),
    values:
      typeof values === 'object'
        ? Object.entries(values).map(([metric, text]) => ({ metric, path: keyPath(text) }))
        : values,
    each: each === '' || each === '.' ? 'message' : optional(each),
    isKeyed: fields.device === itemKey || fields.metric === itemKey,
    timeFormat: time_format,
    zoneOffset: time_zone === 'UTC' ? undefined : zoneOffsets(time_zone),
  }
}
