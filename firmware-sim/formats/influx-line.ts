/**
 * InfluxDB's line protocol, as Telegraf and its like send it:
 *
 *   cpu,device=rack-1,unit=% usage=7.5 1767225600000000000
 *
 * A metric `cpu.usage` is the field `usage` of the measurement `cpu`; one without a dot is a measurement with a `value`.
 */
import type { SensorValue } from '../waves.ts'
import { type Format, type Measured, type Speaker, timeOf, topicOf } from './format.ts'
import { garbagePayload } from './garbage.ts'

export const influxLine: Format = {
  name: 'influx-line',
  topic: 'influx/{device}',
  // Comments and empty lines around the point, and a point without its time, are in order; a line that breaks off is not,
  // and spoils the good line before it.
  faults: ['comments', 'no-time', 'broken-line'],
  complaint: (device, metrics) =>
    [device, ...metrics.flatMap(({ name, unit = '' }) => [name, unit])].some(word => word.endsWith('\\'))
      ? 'no name may end with a backslash'
      : undefined,
  open: speaker => ({
    reading: (measured, fault) => {
      const timeMs = fault === 'no-time' ? undefined : timeOf(speaker, measured)
      const line = lineOf(speaker, measured, timeMs)
      const payload = fault === 'comments' ? `# of ${speaker.name}\n\n${line}\r\n# the end\n` : line
      return { topic: topicOf(speaker, measured), payload, id: undefined, timeMs }
    },
    beside: (measured, fault) => {
      if (fault !== 'broken-line') return undefined
      const payload = `${lineOf(speaker, measured, undefined)}\nhumidity val`
      return { kind: 'garbage', topic: topicOf(speaker, measured), payload }
    },
    garbage: garbagePayload,
  }),
}

function lineOf({ name }: Speaker, { metric, value }: Measured, timeMs: number | undefined): string {
  const [measurement, field] = pointOf(metric.name)
  const unit = metric.unit ? `,unit=${escaped(metric.unit)}` : ''
  const time = timeMs === undefined ? '' : ` ${timeMs}000000`
  return `${escaped(measurement)},device=${escaped(name)}${unit} ${escaped(field)}=${valueText(value)}${time}`
}

/** A field called `value` would be told from none at all by nobody. */
function pointOf(metric: string): readonly [measurement: string, field: string] {
  const dot = metric.lastIndexOf('.')
  const field = metric.slice(dot + 1)
  return dot < 1 || field === '' || field === 'value' ? [metric, 'value'] : [metric.slice(0, dot), field]
}

function escaped(name: string): string {
  return name.replace(/[,= ]/g, String.raw`\$&`)
}

function valueText(value: SensorValue): string {
  return typeof value === 'string' ? `"${value.replace(/["\\]/g, String.raw`\$&`)}"` : String(value)
}
