/**
 * The keys of a bridge: where it dials, what goes up and what comes down, and how much of the link it may use. Part of
 * the schema in schema.ts; what no single key can know is in cross-checks.ts.
 */
import { z } from 'zod'
import { tablesMax } from '../limits.ts'
import { compileWindow } from '../schedule.ts'
import {
  credential,
  dayMs,
  durationMs,
  filePath,
  moment,
  mqttUrl,
  optionalSizeBytes,
  originId,
  sizeBytes,
  tableName,
  withWords,
  words,
} from './values.ts'

export const secret = {
  password: credential.optional().describe('The password itself; password_file keeps it out of this file.'),
  password_file: filePath.optional().describe('A file that holds the password and that its owner alone may read.'),
}

/** What the dialling side of a TLS connection needs. */
export const clientTls = z.strictObject({
  ca: filePath.optional().describe('Certificates of those who may vouch for the far side; left out, the usual ones.'),
  cert: filePath.optional().describe('Our certificate; its common name is who we are.'),
  key: filePath.optional().describe('The key of our certificate.'),
  server_name: credential.optional().describe("The name in the far side's certificate, if it is not the host."),
})

const timeOfDay = '([01]\\d|2[0-3]):([0-5]\\d)'
const hours = z.string().transform((text, context) => {
  const parts = new RegExp(`^${timeOfDay}\\s*-\\s*${timeOfDay}$`).exec(text)
  const [openHour, openMinute, closeHour, closeMinute] = (parts ?? []).slice(1).map(Number)
  if (openHour === undefined || openMinute === undefined || closeHour === undefined || closeMinute === undefined) {
    context.addIssue({ code: 'custom', message: 'write hours such as 02:00-04:00, or the keys open, for and zone' })
    return z.NEVER
  }
  const minutes = (closeHour - openHour) * 60 + closeMinute - openMinute
  const forMs = (minutes > 0 ? minutes : minutes + 24 * 60) * 60_000
  return { open: `${openMinute} ${openHour} * * *`, for: forMs, zone: 'UTC' }
})
words.add(hours, { type: 'hours such as 02:00-04:00' })

const window = z.union([
  hours,
  z
    .strictObject({
      open: z.string().describe('When it opens: a cron expression of five fields.'),
      for: durationMs({ min: 60_000, max: 7 * dayMs, fallback: '1h' }).describe('How long it stays open.'),
      zone: z.string().default('UTC').describe('The time zone of open, such as Europe/Berlin.'),
    })
    .superRefine(({ open, for: forMs, zone }, context) => {
      const compiled = compileWindow({ open, forMs, zone })
      if (!compiled.ok) context.addIssue({ code: 'custom', path: [compiled.key], message: compiled.reason })
    }),
])

export const everyKeeps = ['avg', 'min', 'max', 'last', 'count'] as const

const every = z.strictObject({
  period: durationMs({ min: 1_000, max: dayMs, fallback: '1m' }).describe('How long each period is.'),
  keep: withWords(
    z
      .array(z.enum(everyKeeps))
      .min(1, 'keep at least one')
      .default([...everyKeeps]),
    {
      fallback: 'all five',
    },
  ).describe('What goes up of each period, each as a metric of its own.'),
})

const start = z.union([z.enum(['beginning', 'now']), moment], {
  error: 'write beginning, now, or a time such as 2026-11-01T00:00:00Z',
})
words.add(start, { type: 'beginning, now, or a time' })

const published = z.strictObject({
  table: tableName.describe('The table.'),
  start: start
    .default('beginning')
    .describe(
      'Where a stream that is new begins: with all that the table holds, with what comes from now on, or then.',
    ),
  where: z
    .string()
    .max(4096)
    .optional()
    .describe(
      'An expression (CEL): only entries for which it is true go up; a row for which it is not is told as a deletion.',
    ),
  columns: z
    .array(z.string().min(1))
    .min(1)
    .max(256)
    .optional()
    .describe(
      'Only these keys go up: of each row, or of each value that is an object; what is no object goes up whole.',
    ),
  every: every
    .optional()
    .describe(
      'Instead of the readings, their summary of each period goes up: temperature:avg, temperature:max and so on, with its start as time.',
    ),
  live_first: z
    .boolean()
    .default(false)
    .describe('New readings go before those that have waited; the far side gets them out of order.'),
  window: window.optional().describe('The hours in which it goes up; alerts always go.'),
  topic: z.string().min(1).max(1024).optional().describe('With target broker: the topic, from a template.'),
  format: z.enum(['json', 'cbor']).default('json').describe('With target broker: how a message is written.'),
  payload: withWords(z.json().optional(), { type: 'text, or a map' }).describe(
    'With target broker: what a message holds, from a template.',
  ),
})

const publishedName = tableName.transform(table => published.parse({ table }))

const mqttVersion = z
  .union([z.enum(['auto', '5', '3.1.1']), z.literal(5)], { error: 'write auto, 5 or 3.1.1' })
  .transform(version => (version === 5 ? '5' : version))
words.add(mqttVersion, { type: 'auto, 5 or 3.1.1' })

export const bridge = z.strictObject({
  name: originId.describe('The name of this bridge, in status, logs and cursors.'),
  url: mqttUrl.describe('The far side.'),
  target: z
    .enum(['hub', 'broker'])
    .default('hub')
    .describe('hub: a Holdfast, which confirms what it has stored; broker: any MQTT broker, whose PUBACK is the end.'),
  mqtt: mqttVersion.default('auto').describe('The MQTT version; auto: 5 where the far side speaks it, else 3.1.1.'),
  username: withWords(credential.optional(), { fallback: 'gateway.id, where there is a password' }).describe(
    'The MQTT user, by which a hub knows the gateway.',
  ),
  ...secret,
  tls: clientTls.optional().describe('For an mqtts address: certificates, read again when their files change.'),
  publish: z
    .array(z.union([publishedName, published]))
    .max(tablesMax)
    .default([])
    .describe('Tables that go up: names, or the keys of one stream each.'),
  subscribe: z.array(tableName).max(tablesMax).default([]).describe('Tables that come down.'),
  keepalive: durationMs({ min: 5_000, max: 1_200_000, fallback: '30s' }).describe(
    'How often a silent link is tried; it counts as broken after one and a half times as long.',
  ),
  frame_bytes: sizeBytes({ min: 1024, max: 128 * 1024, fallback: '64KiB' }).describe(
    'The largest message on the link; cloud brokers take at most 128KiB.',
  ),
  rate: withWords(optionalSizeBytes({ min: 100, max: 1e9 }), { fallback: 'no limit' }).describe(
    'Bytes a second that may go up; alerts are not held back.',
  ),
  daily_bytes: withWords(optionalSizeBytes({ min: 1e4, max: 1e12 }), { fallback: 'no limit' }).describe(
    'Bytes a day (UTC) that may go up; then only alerts go, until the next day.',
  ),
})
