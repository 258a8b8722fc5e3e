/**
 * From the words of a checked file to the parts that the rooms get: names with units, absolute paths, maps for names that
 * a person chose. Pure; every default that depends on another key stands here.
 */
import { join, resolve } from 'node:path'
import { defaultAdapterName } from '../../adapters/open.ts'
import { tunedLimits } from '../broker-limits.ts'
import { clientTlsOf } from './client-tls.ts'
import type {
  AccessConfig,
  AlertsConfig,
  BridgeConfig,
  BrokerConfig,
  BrokerTlsConfig,
  Config,
  DevicesConfig,
  HubConfig,
  PublishConfig,
  RoleConfig,
  RouteConfig,
  StoreConfig,
  TableChoice,
  TableConfig,
} from './config.ts'
import { builtInRoles } from './access-schema.ts'
import { allTables } from './cross-checks.ts'
import { formatDuration } from '../units.ts'
import { ownLimits } from './own-limits.ts'
import type { OutsideAdapters } from './outside-adapters.ts'
import { defaultRoute } from './route-schema.ts'
import type { ConfigFile, TableKind } from './schema.ts'
import { sourcesOf } from './source-resolve.ts'

/** By the path of the section that has it, joined by dots. */
export type Passwords = ReadonlyMap<string, string>

/** `certified` is the name in the certificate by which a bridge is known at its far side. */
export function configOf(
  file: ConfigFile,
  folder: string,
  hostName: string,
  passwords: Passwords,
  certified: string | undefined,
  outside: OutsideAdapters,
): Config {
  const named = file.gateway.id ?? file.hub?.id ?? certified
  const id = named ?? idOfHost(hostName)
  const storePath = resolve(folder, file.store.path)
  return {
    gateway: { id, isNamed: named !== undefined },
    store: storeOf(file.store, storePath),
    broker: file.broker && brokerOf(file.broker, folder, storePath),
    tables: new Map([...tablesOf(file), ...summaryTablesOf(file)]),
    routes: (file.routes ?? [defaultRoute]).map(route => routeOf(route, outside)),
    rules: { folder: resolve(folder, file.rules.folder), zone: file.rules.zone },
    alerts: alertsOf(file.alerts),
    devices: devicesOf(file.devices),
    homeAssistant: { via: undefined, ...file.home_assistant },
    clock: { trust: file.clock.trust, maxAheadMs: file.clock.max_ahead },
    bridges: file.bridges.map((bridge, index) => bridgeOf(bridge, id, passwords.get(`bridges.${index}`), folder)),
    sources: sourcesOf(file, passwords, folder),
    hub: file.hub && hubOf(file.hub, id, passwords, folder),
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

function storeOf({ commit_interval, ballast, min_free, compact }: ConfigFile['store'], path: string): StoreConfig {
  return { path, commitIntervalMs: commit_interval, ballastBytes: ballast, minFree: min_free, compact }
}

function alertsOf({ active_max, renotify, group_by, group_wait }: ConfigFile['alerts']): AlertsConfig {
  return { activeMax: active_max, renotifyMs: renotify, groupBy: group_by, groupWaitMs: group_wait }
}

/** Who has authorities to vouch for clients means them to be asked. */
function brokerTlsOf(tls: NonNullable<NonNullable<ConfigFile['broker']>['tls']>, folder: string): BrokerTlsConfig {
  return {
    cert: resolve(folder, tls.cert),
    key: resolve(folder, tls.key),
    ca: tls.ca && resolve(folder, tls.ca),
    clientCertificates: tls.client_certificates ?? (tls.ca === undefined ? 'none' : 'required'),
  }
}

function devicesOf({ offline_after, known }: ConfigFile['devices']): DevicesConfig {
  const devices = Object.entries(known).map(
    ([name, { labels, offline_after: offlineAfterMs }]) => [name, { labels, offlineAfterMs }] as const,
  )
  return { offlineAfterMs: offline_after, known: new Map(devices) }
}

/** The users stand in the folder of the store, where the gateway may write. */
function accessOf(broker: NonNullable<ConfigFile['broker']>, folder: string, storePath: string): AccessConfig {
  const { users_file: file, roles, anonymous } = broker
  return {
    usersFile: file === undefined ? join(storePath, 'users') : resolve(folder, file),
    roles: new Map([
      ...Object.entries(builtInRoles),
      ...Object.entries(roles).map(([name, { publish, subscribe, devices }]): [string, RoleConfig] => [
        name,
        { publish, subscribe, devices },
      ]),
    ]),
    anonymous,
  }
}

function brokerOf(broker: NonNullable<ConfigFile['broker']>, folder: string, storePath: string): BrokerConfig {
  const { listen, tls, websocket_origins, sys_interval, mqtt5, limits } = broker
  return {
    listen,
    access: accessOf(broker, folder, storePath),
    tls: tls && brokerTlsOf(tls, folder),
    mqtt5,
    origins: websocket_origins,
    systemIntervalMs: sys_interval,
    limits: tunedLimits(limits),
  }
}

function routeOf(route: NonNullable<ConfigFile['routes']>[number], outside: OutsideAdapters): RouteConfig {
  const { topic, table, adapter = defaultAdapterName, metrics, ...options } = route
  const other = outside.get(adapter)
  return { topic, table, adapter, outside: other?.kind === 'loaded' ? other.adapter : undefined, options, metrics }
}

type LimitKeys = Partial<Pick<ConfigFile['tables'][string], 'max_bytes' | 'max_age' | 'max_rows'>>

function tableOf(kind: TableKind, keys: LimitKeys | undefined): TableConfig {
  const rollups = { periodsMs: [], ageMsMax: undefined }
  return { kind, bytesMax: keys?.max_bytes, ageMsMax: keys?.max_age, rowsMax: keys?.max_rows, rollups }
}

/** A table of the gateway's own that nobody limits has a limit all the same. */
function limitsOf(name: string, keys: LimitKeys | undefined): LimitKeys | undefined {
  const isLimited = [keys?.max_bytes, keys?.max_age, keys?.max_rows].some(limit => limit !== undefined)
  return isLimited ? keys : ownLimits[name]
}

function tablesOf(file: ConfigFile): [string, TableConfig][] {
  return [...allTables(file.tables)].map(([name, kind]) => {
    const keys = file.tables[name]
    const rollups = { periodsMs: keys?.rollups ?? [], ageMsMax: keys?.rollups_max_age }
    return [name, { ...tableOf(kind, limitsOf(name, keys)), rollups }]
  })
}

/** The logs of summaries: each is limited as the table is that it sums up. */
function summaryTablesOf(file: ConfigFile): [string, TableConfig][] {
  return file.bridges.flatMap(({ name, publish }) =>
    publish.flatMap(({ table, every }): [string, TableConfig][] =>
      every ? [[summaryLog(table, every.period, name), tableOf('series', file.tables[table])]] : [],
    ),
  )
}

/** With dots, which no table of a configuration has in its name. */
function summaryLog(table: string, periodMs: number, bridge: string): string {
  return `${table}.every-${formatDuration(periodMs)}.${bridge}`
}

type BridgeKeys = ConfigFile['bridges'][number]

function bridgeOf(bridge: BridgeKeys, id: string, password: string | undefined, folder: string): BridgeConfig {
  return {
    name: bridge.name,
    farSide: bridge.url,
    target: bridge.target,
    mqttVersion: bridge.mqtt,
    // MQTT 3.1.1 has no password without a user [MQTT-3.1.2-22], and a hub knows a gateway by its id.
    username: bridge.username ?? (password === undefined ? undefined : id),
    password,
    passwordFile: bridge.password_file && resolve(folder, bridge.password_file),
    tls: bridge.tls && clientTlsOf(bridge.tls, folder),
    publish: bridge.publish.map(keys => publishOf(keys, bridge.name)),
    subscribe: bridge.subscribe,
    keepaliveMs: bridge.keepalive,
    frameBytesMax: bridge.frame_bytes,
    rateBytes: bridge.rate,
    dailyBytes: bridge.daily_bytes,
  }
}

function publishOf(keys: BridgeKeys['publish'][number], bridge: string): PublishConfig {
  const { table, start, where, columns, every, live_first, window, topic, format, payload } = keys
  return {
    table,
    start,
    where,
    columns,
    every: every && {
      periodMs: every.period,
      keep: [...new Set(every.keep)],
      log: summaryLog(table, every.period, bridge),
    },
    liveFirst: live_first,
    window: window && { open: window.open, forMs: window.for, zone: window.zone },
    topic,
    format,
    payload,
  }
}

function hubOf(hub: NonNullable<ConfigFile['hub']>, id: string, passwords: Passwords, folder: string): HubConfig {
  const { tls, broker } = hub
  return {
    id,
    listen: hub.listen,
    tls: tls && brokerTlsOf(tls, folder),
    broker: broker && {
      farSide: broker.url,
      // MQTT 3.1.1 has no password without a user [MQTT-3.1.2-22].
      username: broker.username ?? (passwords.has('hub.broker') ? id : undefined),
      password: passwords.get('hub.broker'),
      passwordFile: broker.password_file && resolve(folder, broker.password_file),
      tls: broker.tls && clientTlsOf(broker.tls, folder),
    },
    gateways: hub.gateways && gatewaysOf(hub.gateways, passwords, folder),
    accept: choiceOf(hub.accept),
    offer: choiceOf(hub.offer),
  }
}

function gatewaysOf(
  gateways: NonNullable<NonNullable<ConfigFile['hub']>['gateways']>,
  passwords: Passwords,
  folder: string,
): NonNullable<HubConfig['gateways']> {
  const entries = Object.entries(gateways).map(([gateway, { password_file: file }]) => {
    const password = passwords.get(`hub.gateways.${gateway}`)
    return [gateway, { password, file: file && resolve(folder, file) }] as const
  })
  return new Map(entries)
}

function choiceOf(tables: readonly string[] | undefined): TableChoice {
  return tables === undefined ? 'all' : new Set(tables)
}
