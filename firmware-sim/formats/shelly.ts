/**
 * Shelly, second generation: notifications of an RPC in `<device>/events/rpc`, with the time in seconds. A metric is named
 * COMPONENT.KEY, `switch:0.apower`; one that ends with `.event` is told as a NotifyEvent.
 */
import { type Format, type Said, type Speaker, timeOf } from './format.ts'
import { memberComplaint, memberGarbage, nested } from './members.ts'
import { kindOf } from '../waves.ts'

/** Keys that say nothing that is measured, or say it twice. */
const reserved =
  /(?:^|\.)(?:id|tF|by_minute|minute_ts|mac|ssid|bssid|sta_ip|sta_ip6|time|unixtime|last_sync_ts|available_updates)$/

/** Seconds since its start: what a device gives for the time before it knows it. */
const uptimeSeconds = 12.5

export const shelly: Format = {
  name: 'shelly',
  topic: '{device}',
  // Members that the device does not know; a time that counts from its start; an event without events; a call that
  // somebody else makes.
  faults: ['nulls', 'clock-unset', 'no-events', 'call'],
  complaint: (_device, metrics) => {
    if (metrics.some(({ name }) => !/^[^.]+\../.test(name) || name.startsWith('ts.')))
      return 'a metric is named COMPONENT.KEY'
    if (metrics.some(metric => isEvent(metric.name) && kindOf(metric) !== 'string')) return 'an event is a text'
    return memberComplaint(metrics, name => reserved.test(name))
  },
  open: speaker => ({
    reading: (measured, fault) => {
      const { metric, value } = measured
      const said = timeOf(speaker, measured)
      const timeMs = fault === 'clock-unset' ? undefined : said
      const ts = said === undefined ? undefined : timeMs === undefined ? uptimeSeconds : timeMs / 1_000
      const topic = topicOf(speaker)
      if (isEvent(metric.name)) {
        const event = { component: metric.name.slice(0, -eventEnd.length), id: 0, event: value, ts }
        return { topic, payload: frame(speaker, 'NotifyEvent', { ts, events: [event] }), id: undefined, timeMs }
      }
      const [component = '', ...rest] = metric.name.split('.')
      const nulls = fault === 'nulls' ? { errors: null, temperature: { tC: null, tF: null } } : {}
      const members = { id: 0, ...nulls, ...nested(rest.join('.'), value) }
      return { topic, payload: frame(speaker, 'NotifyStatus', { ts, [component]: members }), id: undefined, timeMs }
    },
    beside: (_measured, fault) => {
      const said = { kind: 'chatter', topic: topicOf(speaker) } as const
      if (fault === 'no-events') return { ...said, payload: frame(speaker, 'NotifyEvent', { events: [] }) }
      return fault === 'call' ? { ...said, payload: frame(speaker, 'Shelly.GetStatus', {}) } : undefined
    },
    garbage: (kind, measured) => memberGarbage(kind, measured, '{"method": "NotifyStatus", "params": "switch:0"}'),
    manners: {
      will: () => online(speaker, false),
      greeting: () => [online(speaker, true)],
      farewell: () => [online(speaker, false)],
    },
  }),
}

const eventEnd = '.event'
const isEvent = (metric: string): boolean => metric.endsWith(eventEnd)

const topicOf = ({ topic }: Speaker): string => `${topic}/events/rpc`

function frame({ name }: Speaker, method: string, params: object): string {
  return JSON.stringify({ src: name, dst: `${name}/events`, method, params })
}

function online({ topic }: Speaker, isOnline: boolean): Said {
  return { topic: `${topic}/online`, payload: String(isOnline), retain: true }
}
