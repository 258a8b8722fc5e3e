/**
 * Keys and values in a line, as firmware writes it that has `printf` and nothing else:
 *
 *   value=21.5,unit=°C,time=1767225600000,id=freezer-1-k3-7
 *
 * Nothing is quoted, so a text with a comma cannot be said.
 */
import { type Format, idOf, timeOf, topicOf } from './format.ts'
import { garbagePayload } from './garbage.ts'
import { textsOf } from '../waves.ts'

export const text: Format = {
  name: 'text',
  topic: 'text/{device}/{metric}',
  // A line with spaces and without a time; a line of a sensor that is still warming up.
  faults: ['spaces', 'no-time', 'no-value'],
  complaint: (device, metrics) => {
    const texts = [device, ...metrics.flatMap(metric => [metric.unit ?? '', ...textsOf(metric)])]
    return texts.some(said => /[,\n\r]|^\s|\s$/.test(said))
      ? 'a text has no comma, no line break and no space around it'
      : undefined
  },
  open: speaker => ({
    reading: (measured, fault) => {
      const id = idOf(speaker, measured)
      const timeMs = fault === 'no-time' ? undefined : timeOf(speaker, measured)
      const parts = [
        `value=${measured.value}`,
        ...(measured.metric.unit ? [`unit=${measured.metric.unit}`] : []),
        ...(timeMs === undefined ? [] : [`time=${timeMs}`]),
        ...(id === undefined ? [] : [`id=${id}`]),
      ]
      const payload =
        fault === 'spaces' ? ` ${parts.map(part => part.replace('=', ' = ')).join(' , ')}\r\n` : parts.join(',')
      return { topic: topicOf(speaker, measured), payload, id, timeMs }
    },
    beside: (measured, fault) =>
      fault === 'no-value'
        ? { kind: 'garbage', topic: topicOf(speaker, measured), payload: `time=${measured.deviceTimeMs}` }
        : undefined,
    garbage: garbagePayload,
  }),
}
