/**
 * The metrics of a gateway: name, kind, help and where in its status the numbers are. Pure.
 *
 * Names are Prometheus' manner: `holdfast_`, base units (seconds, bytes), `_total` for what only grows.
 */
import { brokerLimitKeys } from '../broker-limits.ts'
import type { SourceSection } from './sources.ts'
import type { DurationCounts } from '../store/durations.ts'
import type { BridgeSection, GatewayStatus, StreamSection, TableSection } from './status.ts'

/** A number, and by which labels it is told; null or undefined is not known, and not told. */
export type Sample = readonly [value: number | null | undefined, labels?: Readonly<Record<string, string>>]

type Head = { readonly name: string; readonly help: string; readonly labels?: readonly string[] }
export type Metric =
  | (Head & { readonly kind: 'gauge' | 'counter'; readonly read: (status: GatewayStatus) => readonly Sample[] })
  | (Head & { readonly kind: 'histogram'; readonly read: (status: GatewayStatus) => DurationCounts | undefined })

const one = (value: number | null | undefined): readonly Sample[] => [[value]]
const seconds = (ms: number | null | undefined): number | null => (typeof ms === 'number' ? ms / 1000 : null)
const flag = (is: boolean | undefined): number | null => (is === undefined ? null : is ? 1 : 0)
const byName = (counts: Readonly<Record<string, number>> | undefined, label: string): readonly Sample[] =>
  Object.entries(counts ?? {}).map(([name, value]) => [value, { [label]: name }])
const byTable = (status: GatewayStatus, of: (table: TableSection) => number | null | undefined): readonly Sample[] =>
  status.store.tables.map(table => [of(table), { table: table.name }])
const byBridge = (status: GatewayStatus, of: (bridge: BridgeSection) => number | null): readonly Sample[] =>
  status.bridges.map(bridge => [of(bridge), { bridge: bridge.name }])
const byStream = (status: GatewayStatus, of: (stream: StreamSection) => number | null | undefined): readonly Sample[] =>
  status.bridges.flatMap(({ name: bridge, streams }) =>
    streams.map((stream): Sample => [of(stream), { bridge, table: stream.table, direction: stream.direction }]),
  )

/** Each limit from the start on, so that an alert on one has a 0 to rise from. */
function limitsMet(counters: Readonly<Record<string, number>> | undefined): readonly Sample[] {
  if (counters === undefined) return []
  return Object.entries(brokerLimitKeys).map(([limit, { counters: names }]) => [
    names.reduce((sum, name) => sum + (counters[name] ?? 0), 0),
    { limit },
  ])
}

/** `of` gives samples without the name of the source. */
const bySource = (status: GatewayStatus, of: (source: SourceSection) => readonly Sample[]): readonly Sample[] =>
  (status.sources ?? []).flatMap(source =>
    of(source).map(([value, labels]): Sample => [value, { source: source.name, ...labels }]),
  )

const stream = ['bridge', 'table', 'direction']

export const metrics: readonly Metric[] = [
  {
    name: 'holdfast_build_info',
    kind: 'gauge',
    help: 'Always 1; the labels say which gateway this is, and of which version.',
    labels: ['gateway', 'version'],
    read: ({ gateway: { id, version } }) => [[1, { gateway: id, version }]],
  },
  {
    name: 'holdfast_uptime_seconds',
    kind: 'gauge',
    help: 'How long the gateway runs.',
    read: ({ gateway }) => one(seconds(gateway.uptime_ms)),
  },
  {
    name: 'holdfast_clock_trusted',
    kind: 'gauge',
    help: '1 while the gateway knows what time it is.',
    read: ({ clock }) => one(flag(clock && clock.state === 'trusted')),
  },
  {
    name: 'holdfast_store_state',
    kind: 'gauge',
    help: '1 for the state the store is in: open, full (readings are refused) or failed (it is being opened again).',
    labels: ['state'],
    read: ({ store }) => (['open', 'full', 'failed'] as const).map(state => [flag(store.state === state), { state }]),
  },
  {
    name: 'holdfast_readings_stored_total',
    kind: 'counter',
    help: 'Readings stored since the start.',
    read: ({ store }) => one(store.readings),
  },
  {
    name: 'holdfast_readings_duplicate_total',
    kind: 'counter',
    help: 'Readings that were sent again and not stored twice.',
    read: ({ store }) => one(store.duplicates),
  },
  {
    name: 'holdfast_store_failures_total',
    kind: 'counter',
    help: 'Writes that failed.',
    read: ({ store }) => one(store.failures),
  },
  {
    name: 'holdfast_store_repairs_total',
    kind: 'counter',
    help: 'Times that the database had to be repaired to be opened.',
    read: ({ store }) => one(store.repairs),
  },
  {
    name: 'holdfast_store_damaged_values_total',
    kind: 'counter',
    help: 'Stored values that failed their checksum.',
    read: ({ store }) => one(store.damaged_values),
  },
  {
    name: 'holdfast_table_head',
    kind: 'gauge',
    help: 'The last position of the log of a table.',
    labels: ['table'],
    read: status => byTable(status, table => table.head),
  },
  {
    name: 'holdfast_table_series',
    kind: 'gauge',
    help: 'Pairs of device and metric that a series table knows.',
    labels: ['table'],
    read: status => byTable(status, table => (table.kind === 'series' ? table.series : null)),
  },
  {
    name: 'holdfast_table_bytes',
    kind: 'gauge',
    help: 'What a table takes on disk, before compression.',
    labels: ['table'],
    read: status => byTable(status, table => table.log_bytes),
  },
  {
    name: 'holdfast_table_lost_total',
    kind: 'counter',
    help: 'Readings dropped at a limit before everybody who follows the table had them.',
    labels: ['table'],
    read: status => byTable(status, table => table.lost),
  },
  {
    name: 'holdfast_storage_free_bytes',
    kind: 'gauge',
    help: 'Free on the disk of the store.',
    read: ({ disk }) => one(disk?.free_bytes),
  },
  {
    name: 'holdfast_storage_written_bytes_total',
    kind: 'counter',
    help: 'Written since the store was opened. process: by this process, as the system counts it; store: given to the database.',
    labels: ['source'],
    read: ({ disk }) => [
      [disk?.since_start.process_bytes, { source: 'process' }],
      [disk?.since_start.store_bytes, { source: 'store' }],
    ],
  },
  {
    name: 'holdfast_storage_lifetime_written_bytes_total',
    kind: 'counter',
    help: 'The same in the life of the database, over restarts.',
    labels: ['source'],
    read: ({ disk }) => [
      [disk?.total.process_bytes, { source: 'process' }],
      [disk?.total.store_bytes, { source: 'store' }],
    ],
  },
  {
    name: 'holdfast_commits_total',
    kind: 'counter',
    help: 'Groups written and synced, by the most urgent commit in each.',
    labels: ['urgency'],
    read: ({ disk }) => byName(disk?.commits, 'urgency'),
  },
  {
    name: 'holdfast_commit_duration_seconds',
    kind: 'histogram',
    help: 'How long a group took to be written and synced.',
    read: ({ disk }) => disk?.commit_durations,
  },
  {
    name: 'holdfast_mqtt_clients_connected',
    kind: 'gauge',
    help: 'Clients connected to the broker.',
    read: ({ broker }) => one(broker?.clients),
  },
  {
    name: 'holdfast_mqtt_connections',
    kind: 'gauge',
    help: 'Connections to the broker, by what they came over: mqtt, mqtts, ws or wss, those that it listens for.',
    labels: ['listener'],
    read: ({ broker }) => byName(broker?.connections, 'listener'),
  },
  {
    name: 'holdfast_mqtt_events_total',
    kind: 'counter',
    help: 'What the broker counts, by name: messages taken, refused, dropped.',
    labels: ['event'],
    read: ({ broker }) => byName(broker?.counters, 'event'),
  },
  {
    name: 'holdfast_mqtt_limits_met_total',
    kind: 'counter',
    help: 'How often a limit of broker.limits was met, by its key: what was refused, dropped, or made to wait.',
    labels: ['limit'],
    read: ({ broker }) => limitsMet(broker?.counters),
  },
  {
    name: 'holdfast_ingest_publishes_total',
    kind: 'counter',
    help: 'Messages on the topics of routes.',
    read: ({ ingest }) => one(ingest?.publishes),
  },
  {
    name: 'holdfast_ingest_rejects_total',
    kind: 'counter',
    help: 'Payloads that could not be decoded: they stand in the table rejects.',
    read: ({ ingest }) => one(ingest?.rejects),
  },
  {
    name: 'holdfast_devices',
    kind: 'gauge',
    help: 'Devices that were ever heard, by their state.',
    labels: ['state'],
    read: ({ devices }) => byName(devices && { online: devices.online, offline: devices.offline }, 'state'),
  },
  {
    name: 'holdfast_rules',
    kind: 'gauge',
    help: 'Rules in force.',
    read: ({ rules }) => one(rules?.rules),
  },
  {
    name: 'holdfast_rules_last_reload_successful',
    kind: 'gauge',
    help: '1 if the rule files have no fault.',
    read: ({ rules }) => one(flag(rules && rules.problems.length === 0)),
  },
  {
    name: 'holdfast_rule_evaluations_total',
    kind: 'counter',
    help: 'Rules asked about a reading or a moment.',
    read: ({ rules }) => one(rules?.evaluations),
  },
  {
    name: 'holdfast_alerts_firing',
    kind: 'gauge',
    help: 'Alerts that fire now.',
    read: ({ rules }) => one(rules?.firing),
  },
  {
    name: 'holdfast_alerts_raised_total',
    kind: 'counter',
    help: 'Alerts that began.',
    read: ({ rules }) => one(rules?.raised),
  },
  {
    name: 'holdfast_source_connected',
    kind: 'gauge',
    help: '1 while a source is connected, or its device answers.',
    labels: ['source'],
    read: status => bySource(status, source => [[flag(source.state === 'connected'), {}]]),
  },
  {
    name: 'holdfast_source_unanswered',
    kind: 'gauge',
    help: 'Messages of a source that are not stored and acknowledged yet.',
    labels: ['source'],
    read: status => bySource(status, source => [[source.unanswered, {}]]),
  },
  {
    name: 'holdfast_source_events_total',
    kind: 'counter',
    help: 'What happened at a source, by what it was.',
    labels: ['source', 'event'],
    read: status => bySource(status, source => byName(source.counters, 'event')),
  },
  {
    name: 'holdfast_bridge_connected',
    kind: 'gauge',
    help: '1 while a bridge is connected.',
    labels: ['bridge'],
    read: status => byBridge(status, bridge => flag(bridge.connected_since_ms !== null)),
  },
  {
    name: 'holdfast_outbox_rows',
    kind: 'gauge',
    help: 'Entries that wait to be confirmed by the receiving side of a stream.',
    labels: stream,
    read: status => byStream(status, each => each.behind),
  },
  {
    name: 'holdfast_outbox_oldest_seconds',
    kind: 'gauge',
    help: 'Age of the oldest of them.',
    labels: stream,
    read: status => byStream(status, each => seconds(each.oldest_unsent_ms)),
  },
  {
    name: 'holdfast_stream_confirmed',
    kind: 'gauge',
    help: 'The last position that the receiving side has confirmed.',
    labels: stream,
    read: status => byStream(status, each => each.confirmed),
  },
  {
    name: 'holdfast_stream_sent_bytes_total',
    kind: 'counter',
    help: 'Sent since the start.',
    labels: stream,
    read: status => byStream(status, each => each.sent_bytes),
  },
  {
    name: 'holdfast_stream_parked',
    kind: 'gauge',
    help: 'Entries put aside because the receiving side cannot take them.',
    labels: stream,
    read: status => byStream(status, each => each.parked),
  },
]
