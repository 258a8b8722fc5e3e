/**
 * Zigbee2MQTT: one object for each message of a device, its keys the attributes. Availability is the bridge's to say; here
 * each device has a bridge of its own, which goes when the connection goes.
 */
import { type Format, type Said, type Speaker, timeOf } from './format.ts'
import { memberComplaint, memberGarbage, nested } from './members.ts'

const reserved = new Set(['last_seen', 'elapsed', 'device', 'update_available'])

export const zigbee2mqtt: Format = {
  name: 'zigbee2mqtt',
  topic: 'zigbee2mqtt/{device}',
  // Attributes that the device has never told are null; a message of nothing but those; what the bridge tells of itself;
  // what somebody asks of the device.
  faults: ['nulls', 'only-nulls', 'bridge', 'command'],
  complaint: (device, metrics) =>
    device === 'bridge'
      ? '"bridge" is no device there'
      : memberComplaint(metrics, name => reserved.has(name.split('.')[0] ?? '')),
  open: speaker => ({
    reading: (measured, fault) => {
      const { metric, value } = measured
      const timeMs = timeOf(speaker, measured)
      // The state of what can be switched is a word; all else that has two states is true or false.
      const isState = typeof value === 'boolean' && /(?:^|\.)state[^.]*$/.test(metric.name)
      const payload = JSON.stringify({
        ...(fault === 'nulls' && { update: null, battery_low: null }),
        ...nested(metric.name, isState ? (value ? 'ON' : 'OFF') : value),
        last_seen: timeMs === undefined ? undefined : new Date(timeMs).toISOString(),
      })
      return { topic: speaker.topic, payload, id: undefined, timeMs }
    },
    beside: (measured, fault) => {
      const said = { kind: 'chatter', topic: speaker.topic } as const
      if (fault === 'only-nulls') return { ...said, payload: JSON.stringify(nested(measured.metric.name, null)) }
      if (fault === 'command') return { ...said, topic: `${speaker.topic}/set`, payload: '{"state": "TOGGLE"}' }
      if (fault !== 'bridge') return undefined
      const message = `MQTT publish: topic '${speaker.topic}'`
      return {
        ...said,
        topic: `${baseOf(speaker)}/bridge/logging`,
        payload: JSON.stringify({ level: 'info', message }),
      }
    },
    garbage: (kind, measured) => memberGarbage(kind, measured, '{"last_seen": {"at": "noon"}}'),
    manners: {
      will: () => availability(speaker, 'offline'),
      greeting: () => [availability(speaker, 'online')],
      farewell: () => [availability(speaker, 'offline')],
    },
  }),
}

/** A friendly name may have levels, so the base topic is the first. */
const baseOf = ({ topic }: Speaker): string => topic.split('/')[0] ?? topic

function availability({ topic }: Speaker, state: string): Said {
  return { topic: `${topic}/availability`, payload: JSON.stringify({ state }), retain: true }
}
