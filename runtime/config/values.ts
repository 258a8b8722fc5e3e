/**
 * The kinds of values that keys of the configuration have: each refuses what is not meant with a sentence that shows how
 * to write it, and knows its own words for the reference in docs/config.md. Pure: no files, no environment.
 */
import { z } from 'zod'
import { listenersMax } from '../limits.ts'
import { isTimeZone } from '../schedule.ts'
import { formatDuration, parseDurationMs, parseSizeBytes } from '../units.ts'

/** How the reference names the type and the default of a key, where the schema alone cannot say it to a person. */
export type Words = { readonly type?: string; readonly fallback?: string }
export const words = z.registry<Words>()

export function withWords<Schema extends z.ZodType>(schema: Schema, said: Words): Schema {
  words.add(schema, { ...words.get(schema), ...said })
  return schema
}

/** A listening address taken apart. */
export type Address = { readonly host: string; readonly port: number }

export const dayMs = 86_400_000

type Range = { readonly min: number; readonly max: number }

/** A duration such as 100ms or 1h30m, as milliseconds. A number without a unit is refused: nobody knows what it means. */
export function durationMs({ min, max, fallback }: Range & { readonly fallback: string }) {
  const schema = durationText({ min, max }).prefault(fallback)
  words.add(schema, { type: durationType({ min, max }) })
  return schema
}

/** A duration that is not there unless it is written. */
export function optionalDurationMs(range: Range) {
  const schema = durationText(range).optional()
  words.add(schema, { type: durationType(range) })
  return schema
}

const durationType = ({ min, max }: Range): string => `duration, ${durationRange({ min, max })}`
const durationRange = ({ min, max }: Range): string => `${formatDuration(min)} to ${formatDuration(max)}`

/** One of a list of durations. */
export function durationText({ min, max }: Range) {
  return z
    .union([z.string(), z.literal(0)], 'write a duration with its unit, such as 100ms, 30s or 1h30m')
    .transform((text, context) => {
      const ms = parseDurationMs(String(text))
      if (ms === undefined) return refuse(context, 'write a duration with its unit, such as 100ms, 30s or 1h30m')
      return ms < min || ms > max ? refuse(context, `must be ${durationRange({ min, max })}`) : Math.round(ms)
    })
}

/** A size such as 64MB or 128KiB, or a plain number of bytes, as bytes. */
export function sizeBytes({ min, max, fallback }: Range & { readonly fallback: string }) {
  const schema = sizeText({ min, max }).prefault(fallback)
  words.add(schema, { type: sizeType({ min, max }) })
  return schema
}

/** A size that is not there unless it is written. */
export function optionalSizeBytes(range: Range) {
  const schema = sizeText(range).optional()
  words.add(schema, { type: sizeType(range) })
  return schema
}

const sizeType = ({ min, max }: Range): string => `size, ${shortSize(min)} to ${shortSize(max)}`

function sizeText({ min, max }: Range) {
  return z.union([z.string(), z.number()], 'write a size such as 64MB, 128KiB or 4096').transform((text, context) => {
    const bytes = parseSizeBytes(String(text))
    if (bytes === undefined) return refuse(context, 'write a size such as 64MB, 128KiB or 4096')
    const range = `${shortSize(min)} to ${shortSize(max)}`
    return bytes < min || bytes > max ? refuse(context, `must be ${range}`) : bytes
  })
}

export function count({ min, max, fallback }: Range & { readonly fallback: number }) {
  const schema = z
    .number()
    .refine(
      number => Number.isInteger(number) && number >= min && number <= max,
      `must be a whole number, ${min} to ${max}`,
    )
    .default(fallback)
  words.add(schema, { type: `number, ${min} to ${max}` })
  return schema
}

export const timeZone = z
  .string()
  .refine(isTimeZone, 'this machine knows no such time zone: write one such as UTC or Europe/Berlin')
words.add(timeZone, { type: 'time zone' })

/** `host:port`; an IPv6 host stands in brackets. Port 0 takes any free port. */
export const address = z.string().transform((text, context): Address => {
  const match = /^(?:\[([0-9a-fA-F:.]+)\]|([^\s:[\]/]+)):(\d{1,5})$/.exec(text)
  const host = match?.[1] ?? match?.[2]
  const port = Number(match?.[3])
  if (host === undefined || port > 65_535) {
    return refuse(context, 'write an address as host:port, such as 127.0.0.1:1883, 0.0.0.0:1883 or [::1]:1883')
  }
  return { host, port }
})
words.add(address, { type: 'host:port' })

export const tableName = z
  .string()
  .regex(
    /^[a-z][a-z0-9_-]{0,63}$/,
    'a table name begins with a small letter and goes on with small letters, digits, _ or -; at most 64 in all',
  )
words.add(tableName, { type: 'table name' })

/** Names a gateway or hub everywhere: as the origin of its entries, in topics of the link, as an MQTT user. */
export const originId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'an id has 1 to 64 letters, digits, _ or -, and nothing else')
words.add(originId, { type: 'id' })

/** Where the far side of a bridge is. Users and passwords do not belong into addresses: those are logged. */
export type FarSide = { readonly url: string; readonly host: string; readonly port: number; readonly tls: boolean }

export const mqttUrl = z.string().transform((text, context): FarSide => {
  const how = 'write mqtt://host:port or mqtts://host:port'
  const url = URL.canParse(text) ? new URL(text) : undefined
  if (!url || !['mqtt:', 'mqtts:'].includes(url.protocol) || url.hostname === '') return refuse(context, how)
  if (url.username !== '' || url.password !== '') {
    return refuse(
      context,
      'leave user and password out of the address: "username" and "password_file" are keys of their own',
    )
  }
  if ((url.pathname !== '' && url.pathname !== '/') || url.search !== '' || url.hash !== '') {
    return refuse(context, `${how}, with nothing behind the port`)
  }
  const tls = url.protocol === 'mqtts:'
  const port = url.port === '' ? (tls ? 8883 : 1883) : Number(url.port)
  const host = url.hostname.toLowerCase().replace(/^\[|\]$/g, '')
  return { url: `${url.protocol}//${url.hostname.toLowerCase()}:${port}`, host, port, tls }
})
words.add(mqttUrl, { type: 'mqtt:// or mqtts:// address' })

/** A page of a device on the LAN. What can be told without looking up a name is told here; the rest when it is fetched. */
export const lanUrl = z
  .string()
  .max(1024)
  .transform((text, context): string => {
    const url = URL.canParse(text) ? new URL(text) : undefined
    if (url?.protocol !== 'http:' || url.hostname === '' || url.hash !== '') {
      return refuse(context, 'write http://host/path of a device on the LAN: nothing is fetched from elsewhere')
    }
    if (url.username !== '' || url.password !== '') return refuse(context, 'leave user and password out of the address')
    return url.href
  })
words.add(lanUrl, { type: 'http:// address' })

/** A moment such as 2026-11-01T00:00:00Z, as milliseconds since 1970. Without a zone nobody knows when it is. */
export const moment = z.string().transform((text, context) => {
  const isWhole = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d+)?)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  const ms = isWhole ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms)
    ? refuse(context, 'write a time with its zone, such as 2026-11-01T00:00:00Z, or a day such as 2026-11-01')
    : ms
})
words.add(moment, { type: 'time' })

/** A path of a file or folder, as written: the loader resolves it against the folder of the configuration. */
export const filePath = z
  .string()
  .min(1, 'a path may not be empty')
  .refine(path => !path.includes('\u0000'), 'a path may not hold a NUL')
words.add(filePath, { type: 'path' })

/** Where to listen: one address or a few. */
export const listeners = z
  .union([address, z.array(address).min(1, 'name at least one address').max(listenersMax)], {
    error: 'write an address as host:port, or a list of them',
  })
  .transform(one => (Array.isArray(one) ? one : [one]))
words.add(listeners, { type: 'host:port, or a list of them' })

/** Text for MQTT's user name and password fields. */
export const credential = z.string().min(1, 'may not be empty').max(256, 'has at most 256 characters')
words.add(credential, { type: 'text' })

function refuse(context: z.RefinementCtx, message: string): never {
  context.addIssue({ code: 'custom', message })
  return z.NEVER
}

/** Exact, unlike `formatSize`: 262144 is 256KiB. */
function shortSize(bytes: number): string {
  for (const [unit, size] of [
    ['GiB', 1024 ** 3],
    ['GB', 1e9],
    ['MiB', 1024 ** 2],
    ['MB', 1e6],
    ['KiB', 1024],
    ['kB', 1e3],
  ] as const) {
    if (bytes >= size && bytes % size === 0) return `${bytes / size}${unit}`
  }
  return `${bytes}B`
}
