/**
 * Every key of the configuration, once: its type, default, limits and one sentence. The reference in docs/config.md and
 * the JSON schema are made from here, so a key that is not here does not exist. What no single key can know (that a
 * route's table exists) is in cross-checks.ts.
 */
import { z } from 'zod'
import { nameFault } from '../../adapters/names.ts'
import { bridgesMax, devicesKnownMax, sourcesMax, tablesMax } from '../limits.ts'
import { logLevels } from '../log.ts'
import { accessKeys } from './access-schema.ts'
import { bridge } from './bridge-schema.ts'
import { brokerLimitShape } from './broker-limits-schema.ts'
import { hub } from './hub-schema.ts'
import { brokerListeners, brokerTls, systemInterval, websocketOrigins } from './listeners.ts'
import type { OutsideAdapters } from './outside-adapters.ts'
import { ownLimitsText } from './own-limits.ts'
import { routesOf } from './route-schema.ts'
import { source } from './source-schema.ts'
import { cronOrOff, freeSpace, rollupPeriods } from './store-values.ts'
import {
  count,
  dayMs,
  durationMs,
  filePath,
  optionalDurationMs,
  optionalSizeBytes,
  originId,
  sizeBytes,
  tableName,
  timeZone,
  withWords,
  words,
} from './values.ts'

/** The tables that always exist. A configuration may name them again, with the same kind. */
export const builtInTables = {
  readings: 'series',
  alerts: 'records',
  thresholds: 'records',
  rejects: 'series',
  gaps: 'records',
  parked: 'records',
  clock: 'records',
  devices: 'records',
  device_labels: 'records',
  acks: 'records',
  silences: 'records',
} as const satisfies Record<string, TableKind>

export const tableKinds = ['series', 'records'] as const
export type TableKind = (typeof tableKinds)[number]

const gateway = z.strictObject({
  id: withWords(originId.optional(), { fallback: 'the name in the certificate, else the host name' }).describe(
    'The name of this gateway: the origin of its entries, unique among all that share a hub.',
  ),
})

const store = z.strictObject({
  path: filePath.default('./data').describe('The folder of the database, made if it is missing.'),
  commit_interval: durationMs({ min: 0, max: 10_000, fallback: '100ms' }).describe(
    'The least time between two writes that reach the disk: longer spares an SD card, shorter acknowledges sooner.',
  ),
  ballast: sizeBytes({ min: 1e6, max: 10e9, fallback: '64MB' }).describe(
    'Space kept in reserve, given back when the disk is full so that the store can still close and clean up.',
  ),
  min_free: withWords(freeSpace.prefault('5%'), {
    fallback: '`5%`, at least 256MB or an eighth of a smaller disk',
  }).describe(
    'The least of the disk that stays free: below it the oldest readings are thinned, then dropped, and gaps tell of it.',
  ),
  compact: cronOrOff
    .prefault('30 3 * * *')
    .describe(
      'When space that nothing stands in any more is given back to the disk, if it is worth it: in the time zone of rules.zone.',
    ),
})

const broker = z.strictObject({
  listen: withWords(brokerListeners.optional(), {
    fallback: '127.0.0.1:1883; 0.0.0.0:1883 once there are users',
  }).describe(
    'Where devices connect, and what is spoken there: host:port or mqtt:// is MQTT, mqtts:// MQTT over TLS; ws:// and wss:// are MQTT over WebSocket, at / and /mqtt unless a path is written. 0.0.0.0 is every network of this machine.',
  ),
  tls: brokerTls
    .optional()
    .describe('The certificate of the listeners that speak TLS; the files are read again when they change.'),
  websocket_origins: websocketOrigins,
  mqtt5: z
    .boolean()
    .default(false)
    .describe('true: clients may speak MQTT 5 too; false: MQTT 3.1 and 3.1.1, and who speaks only 5 is told so.'),
  ...accessKeys,
  sys_interval: systemInterval,
  limits: z.strictObject(brokerLimitShape).prefault({}).describe('What one client or all together may use.'),
})

const optionalRows = z
  .number()
  .refine(rows => Number.isInteger(rows) && rows >= 1 && rows <= 1e12, 'must be a whole number, 1 to 1000000000000')
  .optional()
words.add(optionalRows, { type: 'number, from 1' })

const table = z.strictObject({
  kind: z
    .enum(tableKinds)
    .describe(
      'series: readings, appended and queried by device, metric and time; records: rows by key, the latest wins.',
    ),
  max_bytes: withWords(optionalSizeBytes({ min: 1e6, max: 10e12 }), { fallback: 'no limit' }).describe(
    'The most that it takes on disk; beyond it the oldest goes. A gap tells whoever had not read it.',
  ),
  max_age: withWords(optionalDurationMs({ min: 60_000, max: 3_650 * dayMs }), { fallback: 'no limit' }).describe(
    'How long what was stored stays; then it goes. A gap tells whoever had not read it.',
  ),
  max_rows: withWords(optionalRows, { fallback: 'no limit' }).describe(
    'The most readings or rows; beyond it the oldest go. A gap tells whoever had not read them.',
  ),
  rollups: withWords(rollupPeriods.default([]), { fallback: 'none' }).describe(
    'Of a series table: periods whose average, least, greatest, first and last value, sum and count are kept of each series. Aggregates are answered from the longest that fits, also of readings that have gone.',
  ),
  rollups_max_age: withWords(optionalDurationMs({ min: dayMs, max: 36_500 * dayMs }), {
    fallback: 'no limit',
  }).describe('How long what the rollups keep stays; the limits of the table are for its readings alone.'),
})

const clock = z.strictObject({
  trust: z
    .enum(['auto', 'always'])
    .default('auto')
    .describe('auto: the wall clock is believed once something vouches for it; always: on machines that keep time.'),
  max_ahead: durationMs({ min: 60_000, max: dayMs, fallback: '1h' }).describe(
    'How far ahead of us the time of a peer may be; rows from further ahead are parked.',
  ),
})

const labelName = z.string().regex(/^[A-Za-z_][A-Za-z0-9_]{0,63}$/, 'not the name of a label')

const alerts = z.strictObject({
  active_max: count({ min: 1, max: 1_000_000, fallback: 10_000 }).describe(
    'Alerts that may fire at once; a further one waits until another has ended, and the gateway raises an alert on itself.',
  ),
  renotify: withWords(optionalDurationMs({ min: 60_000, max: 30 * dayMs }), { fallback: 'told once' }).describe(
    'How often an alert that still fires, and that nobody has acknowledged, is told again; a rule may say its own.',
  ),
  group_by: z
    .array(labelName)
    .max(8)
    .default([])
    .describe(
      'Labels (of the rule, of the device, or alertname and device): alerts that agree in them are told together.',
    ),
  group_wait: durationMs({ min: 0, max: 3_600_000, fallback: '10s' }).describe(
    'How long the first alert of a group waits for others.',
  ),
})

const device = z.strictObject({
  labels: z
    .record(labelName, z.string().max(256, 'has at most 256 characters'))
    .default({})
    .describe(
      'Where it stands, what it is: for rules and for people. A row of the table device_labels comes before them.',
    ),
  offline_after: withWords(optionalDurationMs({ min: 1_000, max: 3650 * dayMs }), {
    fallback: 'devices.offline_after',
  }).describe('How long this one may be silent.'),
})

const devices = z.strictObject({
  offline_after: durationMs({ min: 1_000, max: 3650 * dayMs, fallback: '15m' }).describe(
    'A device that has sent nothing for so long is offline; one that says that it goes, or whose will does, at once.',
  ),
  known: z
    .record(
      z.string().superRefine((name, context) => {
        const fault = nameFault('the name of a device', name)
        if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
      }),
      device,
    )
    .refine(known => Object.keys(known).length <= devicesKnownMax, `at most ${devicesKnownMax} devices`)
    .prefault({})
    .describe('Devices of which there is more to say, by name; one that was never heard is listed as such.'),
})

const homeAssistant = z.strictObject({
  discovery: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe('auto: from the first time on that Home Assistant says at the broker that it is here.'),
  prefix: z
    .string()
    .regex(/^[A-Za-z0-9_-]{1,64}$/, 'is one level of a topic')
    .default('homeassistant')
    .describe('Its discovery prefix.'),
  via: withWords(z.array(z.string()).max(sourcesMax).optional(), { fallback: 'the own broker' }).describe(
    'Sources of the kind mqtt, at whose brokers Home Assistant listens instead: with discovery: on.',
  ),
})

export const configFile = z.strictObject({
  gateway: gateway.prefault({}).describe('This gateway.'),
  store: store.prefault({}).describe('The database.'),
  broker: withWords(broker.optional(), { fallback: 'on, unless hub is there without broker' }).describe(
    'The MQTT broker for the devices of the LAN; `off` where devices speak to another one, which is a source.',
  ),
  tables: z
    .record(tableName, table)
    .refine(tables => Object.keys(tables).length <= tablesMax, `at most ${tablesMax} tables`)
    .prefault({})
    .describe(
      `Tables, by name. These are always there: ${Object.entries(builtInTables)
        .map(entry => entry.join(' ('))
        .join('), ')}). Where no limit of theirs is written: ${ownLimitsText}.`,
    ),
  routes: routesOf([]),
  rules: z
    .strictObject({
      folder: filePath.default('./rules').describe('The folder of the rule files (*.yaml); it may be missing.'),
      zone: timeZone.default('UTC').describe('The time zone of hours, weekdays and cron expressions in rules.'),
    })
    .prefault({})
    .describe('Alert rules.'),
  alerts: alerts.prefault({}).describe('What becomes of alerts once rules have raised them.'),
  clock: clock.prefault({}).describe('What time it is, on boards that may not know.'),
  devices: devices.prefault({}).describe('Who is here, and what is known of them: the table devices.'),
  home_assistant: homeAssistant
    .prefault({})
    .describe('The gateway, its alerts and its devices as entities of Home Assistant.'),
  bridges: z
    .array(bridge)
    .max(bridgesMax)
    .default([])
    .describe('Connections to far sides; this side alone opens them.'),
  sources: z
    .record(originId, source)
    .refine(sources => Object.keys(sources).length <= sourcesMax, `at most ${sourcesMax} sources`)
    .prefault({})
    .describe('What the gateway fetches by itself, by a name of your own.'),
  hub: hub.optional().describe('Makes this the far side of other gateways.'),
  api: z
    .strictObject({
      socket: withWords(filePath.optional(), { fallback: '<store.path>/holdfast.sock' }).describe(
        'The Unix socket that the commands talk to.',
      ),
    })
    .prefault({})
    .describe('The control surface.'),
  log: z
    .strictObject({ level: z.enum(logLevels).default('info').describe('The least serious lines that are written.') })
    .prefault({})
    .describe('The log on standard output.'),
})

/** The same for a file whose routes name adapters that others wrote. */
export function configFileWith(outside: OutsideAdapters): z.ZodType<ConfigFile> {
  return outside.size === 0 ? configFile : (configFile.extend({ routes: routesOf([...outside]) }) as typeof configFile)
}

/** What a file says, checked and with defaults, still in the words of the file. */
export type ConfigFile = z.output<typeof configFile>
