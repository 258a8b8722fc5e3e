/** JSON with `value`, `time`, `id` and `unit`, and bare numbers: what most makers of one thing begin with. */
import type { SensorValue } from '../waves.ts'
import { type Format, idOf, timeOf, topicOf } from './format.ts'
import { garbagePayload } from './garbage.ts'

export const json: Format = {
  name: 'json',
  topic: undefined,
  faults: [],
  open: speaker => ({
    reading: measured => {
      const { metric, value } = measured
      const [id, timeMs] = [idOf(speaker, measured), timeOf(speaker, measured)]
      const payload = JSON.stringify({ value, time: timeMs, id, unit: metric.unit })
      return { topic: topicOf(speaker, measured), payload, id, timeMs }
    },
    garbage: garbagePayload,
  }),
}

/** A bare number carries neither id nor time. A switch is 0 or 1. */
export const number: Format = {
  name: 'number',
  topic: undefined,
  faults: [],
  open: speaker => ({
    reading: measured => ({
      topic: topicOf(speaker, measured),
      payload: numberText(measured.value),
      id: undefined,
      timeMs: undefined,
    }),
    garbage: garbagePayload,
  }),
}

function numberText(value: SensorValue): string {
  return typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
}
