/**
 * The keys of sources: what the gateway fetches by itself, beside what devices send to its own broker. Part of the
 * schema in schema.ts; what no single key can know is in source-checks.ts.
 */
import { z } from 'zod'
import { modbusOptions } from '../../adapters/modbus-points.ts'
import { sourceTopicsMax } from '../limits.ts'
import { clientTls, secret } from './bridge-schema.ts'
import { cronExpression } from './store-values.ts'
import {
  count,
  credential,
  dayMs,
  durationMs,
  lanUrl,
  mqttUrl,
  optionalDurationMs,
  originId,
  tableName,
  timeZone,
  withWords,
  words,
} from './values.ts'

const topicFilter = z
  .string()
  .max(512)
  .refine(isFilter, 'write an MQTT filter such as zigbee2mqtt/# or sensors/+/temperature')
words.add(topicFilter, { type: 'MQTT filter' })

function isFilter(text: string): boolean {
  if (text === '' || /\p{Cc}/u.test(text)) return false
  const levels = text.split('/')
  return levels.every(
    (level, index) =>
      (!level.includes('#') || (level === '#' && index === levels.length - 1)) &&
      (!level.includes('+') || level === '+'),
  )
}

const mqttVersion = z
  .union([z.enum(['auto', '5', '3.1.1']), z.literal(5)], { error: 'write auto, 5 or 3.1.1' })
  .transform(version => (version === 5 ? '5' : version))
words.add(mqttVersion, { type: 'auto, 5 or 3.1.1' })

const wholeNumber = (numbers: readonly [number, number]) => {
  const schema = z.union(numbers.map(number => z.literal(number)) as [z.ZodLiteral<number>, z.ZodLiteral<number>])
  words.add(schema, { type: numbers.join(' or ') })
  return schema
}

const mqtt = z.strictObject({
  kind: z.literal('mqtt').describe('mqtt: another MQTT broker; its messages are acknowledged once they are stored.'),
  url: mqttUrl.describe('The broker.'),
  topics: z
    .array(topicFilter)
    .min(1, 'name at least one topic')
    .max(sourceTopicsMax)
    .describe('What to subscribe to. The routes say what becomes of it, as of what devices send here.'),
  qos: wholeNumber([1, 2])
    .default(1)
    .describe('The best quality of service that is asked for; 2 stores nothing twice, at one more write a message.'),
  username: credential.optional().describe('The MQTT user of this gateway.'),
  ...secret,
  tls: clientTls.optional().describe('For an mqtts address: certificates, read again when their files change.'),
  client_id: withWords(credential.optional(), { fallback: '<gateway.id>-source-<NAME>' }).describe(
    'By this id the broker knows our session. With another, what it holds for us is lost.',
  ),
  mqtt: mqttVersion.default('auto').describe('The MQTT version; auto: 5 where the broker speaks it, else 3.1.1.'),
  retained: z
    .enum(['changed', 'never'])
    .default('changed')
    .describe(
      'Messages that the broker has kept from before our subscription. changed: stored unless they say what is stored already; never: passed over.',
    ),
  keepalive: durationMs({ min: 5_000, max: 1_200_000, fallback: '30s' }).describe(
    'How often a silent connection is tried; it counts as broken after one and a half times as long.',
  ),
  session_expiry: durationMs({ min: 60_000, max: 365 * dayMs, fallback: '7d' }).describe(
    'How long the broker is to keep our session while we are away (MQTT 5; before, the broker decides).',
  ),
})

const polled = {
  every: withWords(optionalDurationMs({ min: 100, max: 7 * dayMs }), { fallback: 'required, or cron' }).describe(
    'How often it is asked; the next poll waits for the one before.',
  ),
  cron: cronExpression.optional().describe('When it is asked, in place of every: a cron expression of five fields.'),
  zone: withWords(timeZone.optional(), { fallback: 'rules.zone' }).describe('The time zone of cron.'),
  timeout: durationMs({ min: 100, max: 60_000, fallback: '5s' }).describe('How long an answer may take.'),
}

const host = z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/, 'write a host name or an address, without a port')
words.add(host, { type: 'host' })

const modbusTcp = z.strictObject({
  kind: z.literal('modbus-tcp').describe('modbus-tcp: registers of a Modbus device, read again and again.'),
  host: host.describe('The device, or the gateway that it hangs on.'),
  port: count({ min: 1, max: 65_535, fallback: 502 }).describe('Its port.'),
  unit_id: count({ min: 0, max: 255, fallback: 1 }).describe('The unit that is asked, behind a gateway which of many.'),
  ...polled,
  table: tableName.default('readings').describe('The series table that the readings go to.'),
  ...modbusOptions.shape,
})

const httpPoll = z.strictObject({
  kind: z.literal('http-poll').describe('http-poll: a page of a device on the LAN, fetched again and again.'),
  url: lanUrl.describe(
    'The page: http:// and a private, link-local, unique local or loopback address, or a name of one.',
  ),
  topic: z
    .string()
    .min(1)
    .max(512)
    .regex(/^[^#+\p{Cc}$][^#+\p{Cc}]*$/u, 'write a topic such as sensors/boiler/status, without wildcards')
    .describe(
      'Under this topic the page goes to the routes, as if it had been published there: they say what it means.',
    ),
  device: withWords(originId.optional(), { fallback: 'nobody' }).describe('Who is told to be online or offline.'),
  ...polled,
})

export const source = z.discriminatedUnion('kind', [mqtt, modbusTcp, httpPoll])
