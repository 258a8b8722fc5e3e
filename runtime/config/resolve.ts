/**
 * From the words of a checked file to the parts that the rooms get: names with units, absolute paths, maps for names that
 * a person chose. Pure; every default that depends on another key stands here.
 */
import { join, resolve } from 'node:path'
import { defaultAdapterName } from '../../adapters/open.ts'
import type { BridgeConfig, BrokerConfig, Config, HubConfig, RouteConfig, TableChoice } from './config.ts'
import { allTables } from './cross-checks.ts'
import { type ConfigFile, defaultRoute } from './schema.ts'

/** By the path of the section that has it, joined by dots. */
export type Passwords = ReadonlyMap<string, string>

export function configOf(file: ConfigFile, folder: string, hostName: string, passwords: Passwords): Config {
  const id = file.gateway.id ?? file.hub?.id ?? idOfHost(hostName)
  const storePath = resolve(folder, file.store.path)
  return {
    gateway: { id },
    store: { path: storePath, commitIntervalMs: file.store.commit_interval, ballastBytes: file.store.ballast },
    broker: file.broker && brokerOf(file.broker),
    tables: new Map([...allTables(file.tables)].map(([name, kind]) => [name, { kind }])),
    routes: (file.routes ?? [defaultRoute]).map(routeOf),
    rules: { folder: resolve(folder, file.rules.folder) },
    bridges: file.bridges.map((bridge, index) => bridgeOf(bridge, id, passwords.get(`bridges.${index}`))),
    hub: file.hub && hubOf(file.hub, id, passwords),
    api: { socket: socketPath(file.api.socket, storePath, folder) },
    log: { level: file.log.level },
  }
}

export function socketPath(given: string | undefined, storePath: string, folder: string): string {
  return given === undefined ? join(storePath, 'holdfast.sock') : resolve(folder, given)
}

/** An id made of the host's name: what an id may not hold becomes a dash. */
function idOfHost(hostName: string): string {
  return hostName.replace(/[^A-Za-z0-9_-]/g, '-').slice(0, 64) || 'gateway'
}

function brokerOf({ listen, limits }: NonNullable<ConfigFile['broker']>): BrokerConfig {
  return {
    listen,
    limits: {
      packetBytesMax: limits.packet_bytes,
      connectionsMax: limits.connections,
      connectionsPerAddressMax: limits.connections_per_address,
      retainedMessagesMax: limits.retained_messages,
      retainedBytesMax: limits.retained_bytes,
      queuedMessagesMax: limits.queued_messages,
      sessionsMax: limits.sessions,
      topicLevelsMax: limits.topic_levels,
    },
  }
}

function routeOf({ topic, table, adapter, ...options }: NonNullable<ConfigFile['routes']>[number]): RouteConfig {
  return { topic, table, adapter: adapter ?? defaultAdapterName, options }
}

function bridgeOf(bridge: ConfigFile['bridges'][number], id: string, password: string | undefined): BridgeConfig {
  return {
    name: bridge.name,
    farSide: bridge.url,
    // MQTT 3.1.1 has no password without a user [MQTT-3.1.2-22], and a hub knows a gateway by its id.
    username: bridge.username ?? (password === undefined ? undefined : id),
    password,
    publish: bridge.publish,
    subscribe: bridge.subscribe,
    keepaliveMs: bridge.keepalive,
    frameBytesMax: bridge.frame_bytes,
  }
}

function hubOf(hub: NonNullable<ConfigFile['hub']>, id: string, passwords: Passwords): HubConfig {
  return {
    id,
    listen: hub.listen,
    gateways: hub.gateways && new Map(Object.keys(hub.gateways).flatMap(gateway => passwordOf(gateway, passwords))),
    accept: choiceOf(hub.accept),
    offer: choiceOf(hub.offer),
  }
}

/** A gateway whose password is missing has no entry, so it is not let in; the checks have refused it before. */
function passwordOf(gateway: string, passwords: Passwords): [string, string][] {
  const password = passwords.get(`hub.gateways.${gateway}`)
  return password === undefined ? [] : [[gateway, password]]
}

function choiceOf(tables: readonly string[] | undefined): TableChoice {
  return tables === undefined ? 'all' : new Set(tables)
}
