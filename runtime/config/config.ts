/**
 * The configuration as the rooms see it: every default filled in, units in the names, paths absolute, secrets read.
 * Each room is handed its own part and never learns of the others. Types only.
 */
import type { AdapterKind } from '../../adapters/adapter.ts'
import type { Adjustments } from '../../adapters/adjusted.ts'
import type { ModbusOptions } from '../../adapters/modbus-points.ts'
import type { TunedBrokerLimits } from '../broker-limits.ts'
import type { LogLevel } from '../log.ts'
import type { Json } from '../reading.ts'
import type { FreeSpace } from '../units.ts'
import type { everyKeeps } from './bridge-schema.ts'
import type { Listener } from './listeners.ts'
import type { TableKind } from './schema.ts'
import type { Address } from './values.ts'

export type Config = {
  /** Names the origin of everything that is committed here. Not named by anybody, it is the name of the host. */
  readonly gateway: { readonly id: string; readonly isNamed: boolean }
  readonly store: StoreConfig
  /** Undefined on a hub without devices of its own. */
  readonly broker: BrokerConfig | undefined
  /** Every table there is, the built-in ones too. */
  readonly tables: ReadonlyMap<string, TableConfig>
  /** In the order of the file: the first that matches takes the message. */
  readonly routes: readonly RouteConfig[]
  readonly rules: RulesConfig
  readonly alerts: AlertsConfig
  readonly devices: DevicesConfig
  readonly homeAssistant: HomeAssistantConfig
  readonly clock: ClockConfig
  readonly bridges: readonly BridgeConfig[]
  readonly sources: readonly SourceConfig[]
  readonly hub: HubConfig | undefined
  readonly api: ApiConfig
  readonly log: { readonly level: LogLevel }
}

export type DevicesConfig = {
  readonly offlineAfterMs: number
  /** By name. */
  readonly known: ReadonlyMap<string, DeviceConfig>
}

export type HomeAssistantConfig = {
  readonly discovery: 'auto' | 'on' | 'off'
  readonly prefix: string
  /** Names of sources; undefined is the own broker. */
  readonly via: readonly string[] | undefined
}

export type DeviceConfig = {
  readonly labels: Readonly<Record<string, string>>
  readonly offlineAfterMs: number | undefined
}

export type StoreConfig = {
  readonly path: string
  readonly commitIntervalMs: number
  readonly ballastBytes: number
  readonly minFree: FreeSpace
  /** A cron expression; undefined is never. */
  readonly compact: string | undefined
}

export type BrokerConfig = {
  /** Undefined: on this machine, and on every network once there are users. */
  readonly listen: readonly Listener[] | undefined
  readonly access: AccessConfig
  /** Of the listeners that speak TLS; absolute paths. */
  readonly tls: BrokerTlsConfig | undefined
  /** Of pages that may connect over WebSocket; `*` is every page. */
  readonly origins: readonly string[]
  /** May clients speak MQTT 5 too? */
  readonly mqtt5: boolean
  /** How often the broker tells of itself below `$SYS`; 0 is never. */
  readonly systemIntervalMs: number
  readonly limits: TunedBrokerLimits
}

export type BrokerTlsConfig = {
  readonly cert: string
  readonly key: string
  readonly ca: string | undefined
  readonly clientCertificates: 'none' | 'optional' | 'required'
}

export type AccessConfig = {
  /** An absolute path. */
  readonly usersFile: string
  /** All there are, the built-in ones too. */
  readonly roles: ReadonlyMap<string, RoleConfig>
  /** The role of clients that name no user; undefined: they are not let in, once there are users. */
  readonly anonymous: string | undefined
}

export type RoleConfig = {
  readonly publish: readonly string[]
  readonly subscribe: readonly string[]
  /** Undefined: of any. */
  readonly devices: readonly string[] | undefined
}

export type TableConfig = {
  readonly kind: TableKind
  /** Declared limits of the whole table; undefined is none. */
  readonly bytesMax: number | undefined
  readonly ageMsMax: number | undefined
  readonly rowsMax: number | undefined
  /** The periods whose buckets are kept, and for how long. */
  readonly rollups: { readonly periodsMs: readonly number[]; readonly ageMsMax: number | undefined }
}

export type ClockConfig = { readonly trust: 'auto' | 'always'; readonly maxAheadMs: number }

export type RouteConfig = {
  /** For `compileTopic`; known to compile. */
  readonly topic: string
  readonly table: string
  /** For `openAdapter`; known to open. */
  readonly adapter: string
  /** What opens it instead, where it is of others. */
  readonly outside: AdapterKind | undefined
  readonly options: Readonly<Record<string, unknown>>
  /** For `adjusted`. */
  readonly metrics: Adjustments
}

/** `zone` is a time zone that this machine knows. */
export type RulesConfig = { readonly folder: string; readonly zone: string }

export type AlertsConfig = {
  readonly activeMax: number
  /** Undefined: alerts are told once. */
  readonly renotifyMs: number | undefined
  /** Empty: each alert is told by itself. */
  readonly groupBy: readonly string[]
  readonly groupWaitMs: number
}

export type FarSide = { readonly url: string; readonly host: string; readonly port: number; readonly tls: boolean }

export type BridgeConfig = {
  readonly name: string
  readonly farSide: FarSide
  readonly target: 'hub' | 'broker'
  readonly mqttVersion: 'auto' | '5' | '3.1.1'
  readonly username: string | undefined
  readonly password: string | undefined
  /** Where the password was read from, an absolute path: it may change. */
  readonly passwordFile: string | undefined
  readonly tls: ClientTlsConfig | undefined
  readonly publish: readonly PublishConfig[]
  readonly subscribe: readonly string[]
  readonly keepaliveMs: number
  readonly frameBytesMax: number
  readonly rateBytes: number | undefined
  readonly dailyBytes: number | undefined
}

export type SourceConfig = MqttSourceConfig | ModbusSourceConfig | HttpSourceConfig

/** Every so often, or at the times of a cron expression in a zone, both known to compile. */
export type RhythmConfig =
  | { readonly kind: 'every'; readonly everyMs: number }
  | { readonly kind: 'cron'; readonly cron: string; readonly zone: string }

export type ModbusSourceConfig = {
  readonly kind: 'modbus-tcp'
  readonly name: string
  readonly host: string
  readonly port: number
  readonly unitId: number
  readonly rhythm: RhythmConfig
  readonly timeoutMs: number
  readonly table: string
  /** Of the adapter `modbus`. */
  readonly options: ModbusOptions
}

export type HttpSourceConfig = {
  readonly kind: 'http-poll'
  readonly name: string
  readonly url: string
  readonly topic: string
  readonly device: string | undefined
  readonly rhythm: RhythmConfig
  readonly timeoutMs: number
}

export type MqttSourceConfig = {
  readonly kind: 'mqtt'
  readonly name: string
  readonly farSide: FarSide
  /** Undefined: made of the gateway's id and the name. */
  readonly clientId: string | undefined
  readonly username: string | undefined
  readonly password: string | undefined
  readonly passwordFile: string | undefined
  readonly tls: ClientTlsConfig | undefined
  readonly mqttVersion: 'auto' | '5' | '3.1.1'
  readonly topics: readonly string[]
  readonly qos: 1 | 2
  readonly retained: 'changed' | 'never'
  readonly keepaliveMs: number
  readonly sessionExpiryMs: number
}

/** Absolute paths. */
export type ClientTlsConfig = {
  readonly ca: string | undefined
  readonly cert: string | undefined
  readonly key: string | undefined
  readonly serverName: string | undefined
}

export type PublishConfig = {
  readonly table: string
  /** A number is a time, in milliseconds since 1970. */
  readonly start: 'beginning' | 'now' | number
  readonly where: string | undefined
  readonly columns: readonly string[] | undefined
  readonly every: EveryConfig | undefined
  readonly liveFirst: boolean
  readonly window: WindowConfig | undefined
  /** With target `broker`. */
  readonly topic: string | undefined
  readonly format: 'json' | 'cbor'
  readonly payload: Json | undefined
}

/** `log` is a series table of our own, where the summaries stand until they are sent. */
export type EveryConfig = { readonly periodMs: number; readonly keep: readonly Keep[]; readonly log: string }

export type Keep = (typeof everyKeeps)[number]

/** Opens by a cron expression in a zone, and stays open for so long. */
export type WindowConfig = { readonly open: string; readonly forMs: number; readonly zone: string }

export type HubConfig = {
  readonly id: string
  readonly listen: readonly Address[]
  readonly tls: BrokerTlsConfig | undefined
  /** The broker through which gateways are met, instead of listening. */
  readonly broker: HubBrokerConfig | undefined
  /**
   * The password of each gateway by its id, undefined where its certificate is enough, and the absolute path of the file
   * that it was read from; no map lets any gateway in that this machine or the certificate's authority vouches for.
   */
  readonly gateways: ReadonlyMap<string, GatewayPassword> | undefined
  readonly accept: TableChoice
  readonly offer: TableChoice
}

export type GatewayPassword = { readonly password: string | undefined; readonly file: string | undefined }

export type HubBrokerConfig = {
  readonly farSide: FarSide
  readonly username: string | undefined
  readonly password: string | undefined
  readonly passwordFile: string | undefined
  readonly tls: ClientTlsConfig | undefined
}

export type TableChoice = 'all' | ReadonlySet<string>

export type ApiConfig = { readonly socket: string }
