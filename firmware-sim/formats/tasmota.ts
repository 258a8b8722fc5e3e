/**
 * Tasmota: sensors in `tele/<device>/SENSOR`, with the time of the device in whole seconds and without a zone, which is UTC
 * here; `tele/<device>/LWT` says that it is here.
 */
import { type Format, type Said, type Speaker, timeOf } from './format.ts'
import { memberComplaint, memberGarbage, nested } from './members.ts'

/** What a clock shows that has never been set, some minutes after its start. */
const unsetClockMs = 200_000

export const tasmota: Format = {
  name: 'tasmota',
  topic: 'tele/{device}',
  // A clock of 1970; a device that says again that it is here and has nothing to tell; a state that holds no reading.
  faults: ['clock-unset', 'online-alone', 'state-texts'],
  complaint: (_device, metrics) =>
    memberComplaint(metrics, name => /^(?:Time$|[A-Za-z]+Unit$|ENERGY\.TotalStartTime$)/.test(name)),
  open: speaker => ({
    reading: (measured, fault) => {
      const { metric, value } = measured
      const said = timeOf(speaker, measured)
      const timeMs = said === undefined || fault === 'clock-unset' ? undefined : Math.floor(said / 1_000) * 1_000
      const payload = JSON.stringify({
        Time: said === undefined ? undefined : localTime(timeMs ?? unsetClockMs),
        ...nested(metric.name, typeof value === 'boolean' ? (value ? 'ON' : 'OFF') : value),
        TempUnit: metric.unit === '°C' ? 'C' : undefined,
      })
      return { topic: `${speaker.topic}/SENSOR`, payload, id: undefined, timeMs }
    },
    beside: (measured, fault) => {
      const { topic } = speaker
      if (fault === 'online-alone') return { kind: 'chatter', topic: `${topic}/LWT`, payload: 'Online' }
      if (fault !== 'state-texts') return undefined
      const state = { Time: localTime(measured.deviceTimeMs), Uptime: '0T00:10:25', Wifi: { SSId: 'shed' } }
      return { kind: 'chatter', topic: `${topic}/STATE`, payload: JSON.stringify(state) }
    },
    garbage: (kind, measured) => memberGarbage(kind, measured, '{"Time": false}'),
    manners: {
      will: () => lwt(speaker, 'Offline'),
      greeting: () => [lwt(speaker, 'Online')],
      farewell: () => [lwt(speaker, 'Offline')],
    },
  }),
}

const localTime = (ms: number): string => new Date(ms).toISOString().slice(0, 19)

function lwt({ topic }: Speaker, payload: string): Said {
  return { topic: `${topic}/LWT`, payload, retain: true }
}
