/**
 * The way in, for what devices send to our broker and for what sources fetch: the routes of the configuration, and the
 * one ingest that all of it goes through. Part of the composition root.
 */
import { adjusted } from '../adapters/adjusted.ts'
import { openAdapter } from '../adapters/open.ts'
import { nothingElse, polled } from '../adapters/polled.ts'
import { compileTopic } from '../adapters/topic.ts'
import type { RouteConfig, SourceConfig } from './config/config.ts'
import type { Devices } from './devices/devices.ts'
import { messageOf } from './errors.ts'
import type { House } from './house.ts'
import { Ingest } from './ingest/ingest.ts'
import { type Route, Routes } from './ingest/routes.ts'
import type { Store } from './store/store.ts'

/** Says something where the messages of a client come from. Rejects if it cannot. */
export type Speak = (
  topic: string,
  payload: Buffer,
  qos: 0 | 1,
  options?: { readonly retain: boolean },
) => Promise<void>

export type GatewayIntake = {
  readonly ingest: Ingest
  /** What the broker and sources ask of it. */
  readonly door: {
    readonly wants: (topic: string) => boolean
    readonly accept: Ingest['accept']
    readonly flush: () => void
  }
  /** Where replies go to what came from this source; without a name, to what came by our own broker or from a poller. */
  readonly speakers: Map<string | undefined, Speak>
}

/** No reading comes of what says only who is there. */
const defaultTable = 'readings'

export function openIntake({ config, log, time }: House, store: Store, devices: Devices): GatewayIntake {
  const room = log.child({ room: 'ingest' })
  const speakers = new Map<string | undefined, Speak>()
  const ingest = new Ingest(
    new Routes([...config.sources.flatMap(pollRoute), ...config.routes.map(openRoute)]),
    store,
    {
      boot: time.clock.boot,
      newest: (table, { device, metric, unit }) =>
        store.readings.newest({ table, origin: store.origin, device, metric, unit }),
      onSeen: seen => devices.saw(seen),
      onTold: ({ source, adapter, presence = [], replies = [] }) => {
        devices.told(presence, adapter)
        const speak = speakers.get(source) ?? speakers.get(undefined)
        for (const { topic, payload, qos } of speak ? replies : []) {
          speak?.(topic, Buffer.from(payload), qos).catch((error: unknown) =>
            room.warn({ topic, reason: messageOf(error) }, 'a reply was not sent'),
          )
        }
      },
    },
  )
  const door = {
    wants: (topic: string) => ingest.wants(topic),
    accept: ingest.accept.bind(ingest),
    flush: () => ingest.flush(),
  }
  return { ingest, door, speakers }
}

/** Also for who only asks what a message would become. */
export function openRoute({ topic, adapter, outside, table, options, metrics }: RouteConfig): Route {
  const opened = outside?.open(options) ?? openAdapter(adapter, options)
  return openPattern(topic, adjusted(opened, metrics), table)
}

/** Where pollers say what the gateway alone may say: nobody else publishes below `holdfast/`. */
export const pollTopic = (name: string): string => `holdfast/sources/${name}`

/** What a poller fetches, and that its device is there or not, comes in as any message does. */
function pollRoute(source: SourceConfig): Route[] {
  if (source.kind === 'mqtt') return []
  const isModbus = source.kind === 'modbus-tcp'
  const named = isModbus ? source.options.points.map(point => point.device ?? source.options.device) : [source.device]
  const devices = [...new Set(named.filter(device => device !== undefined))]
  const adapter = isModbus ? openAdapter('modbus', source.options) : nothingElse
  const table = isModbus ? source.table : defaultTable
  const topic = pollTopic(source.name)
  const patterns = [...(isModbus ? [topic] : []), ...(devices.length > 0 ? [`${topic}/{said}`] : [])]
  return patterns.map(text => openPattern(text, polled(adapter, devices), table))
}

function openPattern(topic: string, adapter: Route['adapter'], table: string): Route {
  const compiled = compileTopic(topic)
  if (!compiled.ok) throw new Error(`${topic}: ${compiled.reason}`)
  return { pattern: compiled.pattern, adapter, table }
}
