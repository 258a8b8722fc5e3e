/**
 * The configuration as the rooms see it: every default filled in, units in the names, paths absolute, secrets read.
 * Each room is handed its own part and never learns of the others. Types only.
 */
import type { LogLevel } from '../log.ts'
import type { TableKind } from './schema.ts'
import type { Address } from './values.ts'

export type Config = {
  /** Names the origin of everything that is committed here. */
  readonly gateway: { readonly id: string }
  readonly store: StoreConfig
  /** Undefined on a hub without devices of its own. */
  readonly broker: BrokerConfig | undefined
  /** Every table there is, the built-in ones too. */
  readonly tables: ReadonlyMap<string, TableConfig>
  /** In the order of the file: the first that matches takes the message. */
  readonly routes: readonly RouteConfig[]
  readonly rules: RulesConfig
  readonly bridges: readonly BridgeConfig[]
  readonly hub: HubConfig | undefined
  readonly api: ApiConfig
  readonly log: { readonly level: LogLevel }
}

export type StoreConfig = {
  readonly path: string
  readonly commitIntervalMs: number
  readonly ballastBytes: number
}

export type BrokerConfig = {
  readonly listen: readonly Address[]
  readonly limits: {
    readonly packetBytesMax: number
    readonly connectionsMax: number
    readonly connectionsPerAddressMax: number
    readonly retainedMessagesMax: number
    readonly retainedBytesMax: number
    readonly queuedMessagesMax: number
    readonly sessionsMax: number
    readonly topicLevelsMax: number
  }
}

export type TableConfig = { readonly kind: TableKind }

export type RouteConfig = {
  /** For `compileTopic`; known to compile. */
  readonly topic: string
  readonly table: string
  /** For `openAdapter`; known to open. */
  readonly adapter: string
  readonly options: Readonly<Record<string, unknown>>
}

export type RulesConfig = { readonly folder: string }

export type BridgeConfig = {
  readonly name: string
  readonly farSide: { readonly url: string; readonly host: string; readonly port: number; readonly tls: boolean }
  readonly username: string | undefined
  readonly password: string | undefined
  readonly publish: readonly PublishConfig[]
  readonly subscribe: readonly string[]
  readonly keepaliveMs: number
  readonly frameBytesMax: number
}

export type PublishConfig = { readonly table: string; readonly start: 'beginning' | 'now' }

export type HubConfig = {
  readonly id: string
  readonly listen: readonly Address[]
  /** The password of each gateway by its id; undefined lets any gateway of this machine in. */
  readonly gateways: ReadonlyMap<string, string> | undefined
  readonly accept: TableChoice
  readonly offer: TableChoice
}

export type TableChoice = 'all' | ReadonlySet<string>

export type ApiConfig = { readonly socket: string }
