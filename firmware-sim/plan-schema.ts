/**
 * The plan as people write it: every key once, with its default and its limits. `plan.ts` turns it into what the fleet
 * runs. The schema knows nothing of files and lines; every refusal is a sentence that says what would be right.
 */
import { z } from 'zod'
import { formats } from './formats/formats.ts'
import { garbageKinds } from './formats/format.ts'
import { attacks } from './hostile/attacks.ts'

const durationUnitsMs: Readonly<Record<string, number>> = { ms: 1, s: 1e3, m: 6e4, h: 3.6e6, d: 8.64e7 }

/** Milliseconds of `90s`, `1h30m`, `250ms`; undefined if it is not a duration. */
export function durationMs(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ms|[smhd]))+$/.test(text)) return undefined
  let totalMs = 0
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ms|[smhd])/g)) {
    totalMs += Number(number) * (durationUnitsMs[unit ?? ''] ?? Number.NaN)
  }
  return totalMs
}

function duration(leastMs: number, signed = false) {
  return z
    .union([z.string(), z.number()], { error: 'expected a duration such as 5s or 250ms' })
    .transform((text, context) => {
      const negative = signed && String(text).startsWith('-')
      const ms = durationMs(String(text).slice(negative ? 1 : 0))
      if (ms === undefined) context.addIssue(`"${text}" is not a duration: write 5s, 250ms or 1h30m`)
      else if (ms < leastMs) context.addIssue(`must be at least ${leastMs}ms`)
      return (negative ? -1 : 1) * (ms ?? 0)
    })
}

const chance = z.number().min(0, 'must be between 0 and 1').max(1, 'must be between 0 and 1')
const wholeUpTo = (max: number) =>
  z.number().int('must be a whole number').min(1, 'must be at least 1').max(max, `must be at most ${max}`)
const sensorValue = z.union([z.number(), z.boolean(), z.string()], {
  error: 'expected a number, true, false or a text',
})
const qos = z.literal([0, 1, 2])

/** What every metric may say, whatever its wave. */
const sensor = {
  noise: z.number().min(0, 'must not be negative').default(0),
  decimals: z
    .number()
    .int('must be a whole number')
    .min(0, 'must not be negative')
    .max(9, 'must be at most 9')
    .default(3),
  unit: z.string().optional(),
  every: duration(1).optional(),
  script: z
    .array(z.strictObject({ at: duration(0), value: sensorValue.nullable() }))
    .default([])
    .refine(
      points => points.every((point, index) => index === 0 || (points[index - 1]?.at ?? 0) < point.at),
      'the points of a script must be in order of time',
    ),
}

const metric = z.discriminatedUnion('wave', [
  z.strictObject({
    wave: z.literal('daily'),
    mean: z.number(),
    amplitude: z.number(),
    period: duration(1_000).default(86_400_000),
    peak: duration(0).default(15 * 3_600_000),
    ...sensor,
  }),
  z.strictObject({
    wave: z.literal('vibration'),
    mean: z.number(),
    amplitude: z.number(),
    spike_chance: chance.default(0.001),
    spike: z.number().default(0),
    ...sensor,
  }),
  z.strictObject({
    wave: z.literal('switch'),
    open_chance: chance,
    open_for: duration(1_000).default(20_000),
    ...sensor,
  }),
  z.strictObject({ wave: z.literal('step'), from: z.number(), to: z.number(), at: duration(0), ...sensor }),
  z.strictObject({
    wave: z.literal('ramp'),
    from: z.number(),
    to: z.number(),
    over: duration(1),
    repeat: z.boolean().default(false),
    ...sensor,
  }),
  z.strictObject({ wave: z.literal('constant'), value: sensorValue, ...sensor }),
])

const faults = z.strictObject({
  /** A planned DISCONNECT, some time away, and back. */
  reconnect: z.strictObject({ every: duration(100), away: duration(0).default(1_000) }).optional(),
  /** The connection torn without a word, with whatever was on its way. */
  cut: z.strictObject({ every: duration(100), away: duration(0).default(1_000) }).optional(),
  /** The same message again after its acknowledgement, as a device does that missed it. */
  resend: z.strictObject({ chance }).optional(),
  burst: z.strictObject({ every: duration(100), count: wholeUpTo(100_000) }).optional(),
  garbage: z
    .strictObject({
      chance,
      kinds: z
        .array(z.enum(garbageKinds))
        .min(1, 'must name at least one kind')
        .default([...garbageKinds]),
    })
    .optional(),
  /** What goes wrong with the group's own format and no other; without `kinds`, all of it. */
  format: z
    .strictObject({ chance, kinds: z.array(z.string()).min(1, 'must name at least one kind').optional() })
    .optional(),
  clock: z
    .strictObject({
      drift_ppm: z.number().min(-500_000, 'must be at least -500000').max(500_000, 'must be at most 500000').default(0),
      offset: duration(0, true).default(0),
    })
    .optional(),
})

/** A level of an MQTT topic: devices and metrics become one. */
const level = z
  .string()
  .min(1, 'must not be empty')
  .max(128, 'must be at most 128 characters')
  .refine(text => !/[/+#\0]/.test(text), 'must not contain / + or #')

const topic = z
  .string()
  .min(1, 'must not be empty')
  .max(1_024, 'must be at most 1024 characters')
  .refine(text => !/[+#\0]/.test(text), 'must not contain + or #')

export const groupSchema = z.strictObject({
  name: level,
  count: wholeUpTo(10_000).default(1),
  qos: qos.default(1),
  every: duration(1).default(1_000),
  topic: topic.optional(),
  /** The format that it speaks. */
  payload: z.enum(formats.map(({ name }) => name)).default('json'),
  with_id: z.boolean().default(true),
  with_time: z.boolean().default(true),
  /** What it measured while it was away, and sends first when it comes. */
  history: duration(0).default(0),
  /** Messages on their way without an acknowledgement, per device. */
  window: wholeUpTo(1_000).default(20),
  /** Messages a device keeps until they are acknowledged; what does not fit is dropped and counted. */
  outbox: wholeUpTo(100_000).default(1_000),
  metrics: z.record(level, metric).refine(metrics => Object.keys(metrics).length > 0, 'must have at least one metric'),
  faults: faults.default({}),
})

/** What attacks the broker beside the devices; how many and how often is the attack's own choice unless it is said. */
const assault = z.strictObject({
  attack: z.enum(
    attacks.map(({ name }) => name),
    { error: `expected one of ${attacks.map(({ name }) => name).join(', ')}` },
  ),
  connections: wholeUpTo(5_000).optional(),
  per_second: wholeUpTo(20_000).optional(),
})

export const planSchema = z
  .strictObject({
    topic: topic.default('sensors/{device}/{metric}'),
    devices: z.array(groupSchema).default([]),
    hostile: z.array(assault).default([]),
  })
  .refine(({ devices, hostile }) => devices.length + hostile.length > 0, {
    path: ['devices'],
    error: 'must have at least one group',
  })

export type WrittenAssault = z.output<typeof assault>
export type WrittenGroup = z.output<typeof groupSchema>
export type WrittenMetric = z.output<typeof metric>
export type WrittenFaults = z.output<typeof faults>
