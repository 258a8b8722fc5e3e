/**
 * The `influx-line` adapter: InfluxDB's line protocol, of versions 1 and 2, one point or many.
 *
 *   weather,host=attic temperature=21.5,humidity=40i,open=true 1767225600000000000
 *
 * Each field of a point is a reading. A comma, a space or an equals sign that is part of a name has a backslash before it;
 * texts stand in double quotes, and may go on over lines. A payload is taken whole or rejected whole.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import { adapterKind, type Levels } from './adapter.ts'
import { deviceTimeMs } from './device-time.ts'
import { LineReader, type Point } from './influx-point.ts'
import { nameFault } from './names.ts'
import { payloadText } from './payload.ts'
import { quoted, reject, tooManyReadings } from './reason.ts'
import { valueFault } from './value.ts'

const precisions = ['ns', 'us', 'ms', 's'] as const
const metricRules = ['joined', 'field', 'measurement'] as const

export const influxLineOptions = z.strictObject({
  precision: z.enum(precisions).default('ns').describe('The unit of the times: ns, us, ms or s.'),
  device_tag: z
    .string()
    .min(1, 'may not be empty')
    .max(128)
    .optional()
    .describe('The tag that names the device, if it is not in the topic.'),
  metric_from: z
    .enum(metricRules)
    .default('joined')
    .describe(
      'joined: measurement and field joined by a dot, a field called value adds nothing; field: the field alone; measurement: the measurement alone, for points of one field.',
    ),
})

/** Seconds taken for nanoseconds are a moment of 1970: nobody who writes lines has readings from then. */
const plausibleFrom = Date.UTC(2000, 0, 1)

type Options = z.output<typeof influxLineOptions>

export const influxLineKind = adapterKind({
  name: 'influx-line',
  sentence: "the payload is lines of InfluxDB's line protocol",
  options: influxLineOptions,
  nameOptions: { device: ['device_tag'], metric: 'always' },
  decoder: options => (payload, levels) => {
    const read = payloadText(payload)
    if (!read.ok) return reject(read.reason)
    const readings: Reading[] = []
    const lines = new LineReader(read.text)
    for (;;) {
      const point = lines.next()
      if (point === undefined) break
      const fault = typeof point === 'string' ? point : addPoint(point, options, levels, readings)
      if (fault === tooManyReadings) return reject(fault)
      if (fault !== undefined) return reject(`line ${lines.line}: ${fault}`)
    }
    return readings.length > 0 ? { ok: true, readings } : reject('there is no point in it')
  },
})

function addPoint(point: Point, options: Options, levels: Levels, readings: Reading[]): string | undefined {
  const { device_tag: tag } = options
  const device = (tag === undefined ? undefined : point.tags.get(tag)) ?? levels.get('device')
  if (device === undefined) {
    return tag === undefined
      ? 'the topic names no {device} and the route has no device_tag'
      : `there is no tag "${tag}"`
  }
  const wrongDevice = nameFault('the device', device)
  if (wrongDevice !== undefined) return wrongDevice
  const timeMs = point.time === undefined ? undefined : deviceTimeMs(point.time, `unix_${options.precision}`)
  if (typeof timeMs === 'string') return timeMs
  if (timeMs !== undefined && timeMs < plausibleFrom) return 'the time is before the year 2000: is "precision" right?'
  if (options.metric_from === 'measurement' && point.fields.length > 1) {
    return 'more than one field, where the route takes the measurement for the metric'
  }
  for (const [field, value] of point.fields) {
    const metric = metricOf(point.measurement, field, options.metric_from)
    const wrongMetric = nameFault('the metric', metric)
    if (wrongMetric !== undefined) return wrongMetric
    const wrong = valueFault(value)
    if (wrong !== undefined) return `${quoted([field])} ${wrong}`
    if (readings.length >= readingsPerMessageMax) return tooManyReadings
    readings.push({ device, metric, value, deviceTimeMs: timeMs, id: undefined, unit: undefined })
  }
  return undefined
}

function metricOf(measurement: string, field: string, rule: Options['metric_from']): string {
  if (rule === 'field') return field
  return rule === 'measurement' || field === 'value' ? measurement : `${measurement}.${field}`
}
