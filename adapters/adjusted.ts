/**
 * What a route knows of a metric and the payload does not say: its name here, its unit, and how a raw number becomes what
 * it measures. Works behind every adapter; a route that says nothing has the adapter as it is. Pure.
 */
import { z } from 'zod'
import { readingsPerMessageMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import type { Adapter, Decoded } from './adapter.ts'
import { metricName } from './mapping-options.ts'
import { unitFault } from './names.ts'
import { quoted, reject } from './reason.ts'

const unit = z.string().superRefine((text, context) => {
  const message = unitFault(text)
  if (message) context.addIssue({ code: 'custom', message })
})
const factor = z.number().refine(value => value !== 0, 'may not be 0: every value would be the same')

const adjustment = z.strictObject({
  name: metricName.optional().describe('What the metric is called here.'),
  unit: unit.optional().describe('Its unit, whatever the payload says.'),
  scale: factor.default(1).describe('What numbers are multiplied by.'),
  offset: z.number().default(0).describe('What is added to numbers then.'),
})

export const metricsOption = z
  .record(metricName, adjustment)
  .refine(metrics => Object.keys(metrics).length <= readingsPerMessageMax, `at most ${readingsPerMessageMax} metrics`)
  .optional()
  .describe('What the payload does not say of a metric, by the name that it has there.')

export type Adjustments = z.output<typeof metricsOption>

export function adjusted(adapter: Adapter, metrics: Adjustments): Adapter {
  if (metrics === undefined) return adapter
  const byMetric = new Map(Object.entries(metrics))
  return {
    name: adapter.name,
    decode: (payload, levels, message) => {
      const decoded = adapter.decode(payload, levels, message)
      return decoded.ok ? adjustAll(decoded, byMetric) : decoded
    },
  }
}

function adjustAll(
  decoded: Decoded & { readonly ok: true },
  byMetric: ReadonlyMap<string, z.output<typeof adjustment>>,
): Decoded {
  const readings: Reading[] = []
  for (const reading of decoded.readings) {
    const change = byMetric.get(reading.metric)
    if (change === undefined) {
      readings.push(reading)
      continue
    }
    const value = typeof reading.value === 'number' ? scaled(reading.value, change.scale, change.offset) : reading.value
    if (typeof value === 'number' && !Number.isFinite(value)) return reject(`${quoted([reading.metric])} is too large`)
    readings.push({ ...reading, value, metric: change.name ?? reading.metric, unit: change.unit ?? reading.unit })
  }
  return { ...decoded, readings }
}

/** 3 × 0.1 is meant to be 0.3: the last digit of a double is noise of the multiplication. */
function scaled(value: number, scale: number, offset: number): number {
  const result = value * scale + offset
  return Number.isInteger(result) ? result : Number(result.toPrecision(15))
}
