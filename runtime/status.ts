/** The truth about a running gateway, gathered from its rooms into the form that the control surface tells. */
import type { Alerting } from './alerting/alerting.ts'
import type { Notifier } from './alerting/notify/notifier.ts'
import type { Rulebook } from './alerting/rulebook.ts'
import {
  type BridgeSection,
  type ClockSection,
  type GatewayStatus,
  type HubSection,
  type NotificationsSection,
  type RulesSection,
  type StreamSection,
  type TableSection,
  storeSection,
} from './api/status.ts'
import { sourceSection } from './api/sources.ts'
import { diskSection } from './api/disk.ts'
import { damageSection } from './api/damage.ts'
import type { Broker } from './broker/broker.ts'
import { urlOf } from './broker/listen.ts'
import type { BrokerTransport } from './cloud/broker-transport.ts'
import type { Hub } from './cloud/hub.ts'
import type { Config } from './config/config.ts'
import type { Devices } from './devices/devices.ts'
import { boundsOf, tableBounds } from './holding.ts'
import type { Ingest } from './ingest/ingest.ts'
import type { FarSide } from './replication/far-side.ts'
import type { StreamStatus } from './replication/stream.ts'
import type { Retention } from './retention/retention.ts'
import type { Rollup } from './rollup/rollup.ts'
import type { TableRollups } from './rollup/tables.ts'
import type { Source } from './sources.ts'
import type { Store } from './store/store.ts'
import type { Timekeeper } from './timekeeping/keeper.ts'
import { programVersion } from './version.ts'
import type { Visitors } from './visitors.ts'

export type Parts = {
  readonly config: Config
  readonly store: Store
  readonly alerting: Alerting
  readonly rulebook: Rulebook
  readonly notifier: Notifier
  readonly lan:
    | {
        readonly broker: Broker
        readonly visitors: Visitors
        /** What somebody who looks at its listeners should know. */
        readonly warnings: () => readonly string[]
      }
    | undefined
  readonly ingest: Ingest
  readonly devices: Devices
  readonly cloud:
    | {
        readonly broker: Broker | undefined
        readonly link: BrokerTransport | undefined
        readonly hub: Hub
        /** What is wrong with the certificate of its listeners. */
        readonly warning: () => string | undefined
      }
    | undefined
  readonly bridges: readonly FarSide[]
  readonly sources: readonly Source[]
  readonly rollups: readonly Rollup[]
  readonly tableRollups: TableRollups
  readonly retention: Retention
  readonly keeper: Timekeeper
  /** By the monotonic clock: the other one may have been corrected since. */
  readonly startedAtMs: number
  readonly monotonicMs: () => number
  readonly now: () => number
}

export function statusOf({
  config,
  store,
  alerting,
  rulebook,
  notifier,
  lan,
  ingest,
  devices,
  cloud,
  bridges,
  sources,
  rollups,
  tableRollups,
  retention,
  keeper,
  startedAtMs,
  monotonicMs,
  now,
}: Parts): GatewayStatus {
  const stored = store.status()
  const uptimeMs = Math.round(monotonicMs() - startedAtMs)
  return {
    gateway: {
      id: config.gateway.id,
      version: programVersion(),
      started_ms: now() - uptimeMs,
      uptime_ms: uptimeMs,
    },
    clock: clockSection(keeper),
    store: {
      ...storeSection(stored, tableFacts(retention, rollups, tableRollups)),
      damage: damageSection(store.health.status()),
    },
    disk: diskSection(stored),
    bounds: boundsOf(retention.status()),
    broker: lan && {
      listen: lan.broker.addresses().map(urlOf),
      connections: lan.broker.connections(),
      warnings: [...lan.warnings()],
      clients: lan.broker.connected().length,
      counters: lan.broker.counters(),
    },
    ingest: lan || sources.length > 0 ? ingest.counts : undefined,
    devices: devices.counts(),
    rules: rulesSection(rulebook, alerting, notifier),
    notifications: notificationsSection(notifier),
    bridges: bridges.map(bridge => bridgeSection(bridge, now())),
    sources: sources.map(source => sourceSection(source.status(), now())),
    hub: cloud && hubSection(config.gateway.id, cloud),
  }
}

/** What the store does not know of its tables: to which limits their logs are held, and which of them are summaries. */
function tableFacts(
  retention: Retention,
  rollups: readonly Rollup[],
  tableRollups: TableRollups,
): (table: string) => Partial<TableSection> {
  const kept = new Map(tableRollups.status().map(({ table, periods }) => [table, periods]))
  const { tables } = retention.status()
  const summaries = new Map(rollups.map(rollup => [rollup.status().log, rollup.status()]))
  return name => {
    const bounds = tables.get(name)
    const summed = summaries.get(name)
    return {
      ...(bounds && tableBounds(bounds)),
      rollups: kept.get(name)?.map(({ periodMs, behind }) => ({ period_ms: periodMs, behind })),
      summaries: summed && {
        of: summed.table,
        behind: summed.behind,
        open_periods: summed.open,
        undecided: summed.undecided,
        left_out: summed.left,
      },
    }
  }
}

function rulesSection(rulebook: Rulebook, alerting: Alerting, notifier: Notifier): RulesSection {
  const { activeMax, ...counts } = alerting.status()
  const { silenced } = notifier.status()
  return { ...rulebook.status(), ...counts, silenced, active_max: activeMax }
}

function notificationsSection(notifier: Notifier): NotificationsSection {
  const { actions, silenced: _silenced, ...counts } = notifier.status()
  const { done, failed, givenUp, waiting, lastFailure } = actions
  return {
    ...counts,
    actions: {
      done,
      failed,
      given_up: givenUp,
      waiting,
      last_failure: lastFailure
        ? { alert: lastFailure.alert, reason: lastFailure.reason, at_ms: lastFailure.atMs }
        : null,
    },
  }
}

function clockSection(keeper: Timekeeper): ClockSection {
  const { state, source, reason, hint, offsetMs, boot } = keeper.status()
  return { state, source: source ?? null, reason, hint, offset_ms: offsetMs, boot: boot ?? null }
}

function bridgeSection(bridge: FarSide, nowMs: number): BridgeSection {
  const { bridge: name, url, state, reason, link, streams, valve } = bridge.status()
  const { daily } = valve
  return {
    name,
    url,
    state,
    connected_since_ms: link.state === 'connected' ? (link.connectedAtMs ?? null) : null,
    reason: reason ?? link.reason,
    next_attempt_ms: link.nextAttemptInMs === undefined ? null : Math.round(nowMs + link.nextAttemptInMs),
    // Of a connection that is there: what the next one will speak is only known then.
    mqtt_version: link.state === 'connected' ? link.mqtt : undefined,
    certificate_expires_ms: link.certificateExpiresMs ?? null,
    warnings: [...link.warnings, ...link.denied.map(({ topic, reason }) => `${topic}: ${reason}`)],
    rate_bytes: valve.rateBytes ?? null,
    daily_bytes: daily ? { bytes: daily.bytes, left: daily.leftBytes, renews_ms: daily.renewsAtMs } : null,
    streams: streams.map(streamSection),
  }
}

function linkSection(link: BrokerTransport): NonNullable<HubSection['broker']> {
  const status = link.status()
  return { url: link.url, connected: status?.state === 'connected', reason: status?.reason }
}

function hubSection(id: string, { broker, link, hub, warning }: NonNullable<Parts['cloud']>): HubSection {
  const gateways = hub.status().gateways.map(({ gateway, state, lastContactMs, streams }) => ({
    id: gateway,
    connected: state === 'talking',
    last_contact_ms: lastContactMs,
    streams: streams.map(streamSection),
  }))
  const warnings = [warning(), ...(link?.status()?.warnings ?? [])].filter(text => text !== undefined)
  const listen = broker?.addresses().map(urlOf) ?? []
  return { id, listen, broker: link && linkSection(link), warnings, gateways }
}

function streamSection(stream: StreamStatus): StreamSection {
  const { table, direction, behind, confirmed, state, parked, refused, undecided, reason } = stream
  return {
    table,
    direction,
    behind,
    oldest_unsent_ms: stream.oldestUnsentMs ?? null,
    confirmed,
    sent_bytes: stream.bytes,
    state,
    parked,
    refused,
    undecided,
    gaps: stream.gaps,
    gap_reason: stream.lastGap,
    last_confirmed_ms: stream.lastConfirmedAtMs ?? null,
    reason,
    goes_on_ms: stream.goesOnAtMs ?? null,
  }
}
