/**
 * What a gateway tells about itself: the answer to `GET /api/v1/status`, and what `holdfast status` draws.
 *
 * Promises: snake_case and plain JSON, as a script reads it; times are milliseconds since 1970, durations milliseconds.
 * Numbers are what was measured, never what was hoped: a stream is well only if its confirmed position moves or nothing
 * is left to send [I9]. Keys may be added; a reader ignores those it does not know. Pure.
 */
import type { DamageSection } from './damage.ts'
import type { SourceSection } from './sources.ts'
import type { StoreStatus } from '../store/options.ts'
import type { BoundsSection, TableBounds } from './bounds.ts'
import type { DiskSection } from './disk.ts'

export type GatewayStatus = {
  readonly gateway: {
    /** The origin of everything that is committed here. */
    readonly id: string
    readonly version: string
    readonly started_ms: number
    readonly uptime_ms: number
  }
  /** Missing from a gateway of an earlier version. */
  readonly clock?: ClockSection | undefined
  readonly store: StoreSection
  /** What is written to the disk. */
  readonly disk?: DiskSection | undefined
  /** What of the disk stays free, and what goes for it. Missing from a gateway of an earlier version. */
  readonly bounds?: BoundsSection | undefined
  /** Missing where there is no broker. */
  readonly broker?: BrokerSection | undefined
  readonly ingest?: IngestSection | undefined
  /** Missing from a gateway of an earlier version. */
  readonly devices?: DevicesSection | undefined
  readonly rules?: RulesSection | undefined
  /** What became of the alerts. */
  readonly notifications?: NotificationsSection | undefined
  readonly bridges: readonly BridgeSection[]
  /** Missing from a gateway of an earlier version. */
  readonly sources?: readonly SourceSection[] | undefined
  /** Missing unless this is the far side of other gateways. */
  readonly hub?: HubSection | undefined
}

export type ClockSection = {
  /** `untrusted`: what arrives now is told with a time that may be wrong, until it can be corrected. */
  readonly state: 'trusted' | 'untrusted'
  /** Who vouches for the time: hub, timesyncd, chrony, kernel, battery or config; null while nobody does. */
  readonly source: string | null
  readonly reason: string
  /** While it is not trusted: what a person can do about it. */
  readonly hint?: string | undefined
  /** What the gateway adds to the wall clock of its machine. */
  readonly offset_ms: number
  /** The boot that readings name until their time is corrected; null while the time is known. */
  readonly boot: string | null
}

export type StoreSection = {
  /** `open` takes everything; `full` refuses readings until there is space; `failed` is opening its database again. */
  readonly state: 'open' | 'full' | 'failed'
  /** Why it is not open, in a sentence. */
  readonly reason?: string | undefined
  readonly epoch: string
  readonly commits: number
  /** Readings stored since the start, and those dropped because they were stored before. */
  readonly readings: number
  readonly duplicates: number
  /** Writes that failed, databases repaired at opening, values that failed their checksum. */
  readonly failures: number
  readonly repairs: number
  readonly damaged_values: number
  /** Missing from a gateway of an earlier version. */
  readonly damage?: DamageSection | undefined
  /** Bytes given to the database since the start: the budget of an SD card. */
  readonly bytes_written: number
  readonly tables: readonly TableSection[]
}

export type TableSection = TableBounds & {
  readonly name: string
  readonly kind: 'series' | 'records'
  /** First and last position of the log; `head - first + 1` entries can still be followed. */
  readonly first: number
  readonly head: number
  /** Of a series table: how many pairs of device and metric it knows. */
  readonly series: number
  /** Readings stored; of a records table the entries of its log. */
  readonly rows?: number | undefined
  /** On disk, in all; and those of its log alone, which are not packed yet. */
  readonly bytes?: number | undefined
  readonly log_bytes?: number | undefined
  /** Its rollups, and how many packed readings each does not hold yet; left out where there are none. */
  readonly rollups?: readonly RollupSection[] | undefined
  /** Of a table that no configuration names: it holds what a stream with `every` sends. */
  readonly summaries?: SummariesSection | undefined
}

export type RollupSection = { readonly period_ms: number; readonly behind: number }

export type SummariesSection = {
  /** The table that is summed up. */
  readonly of: string
  /** Readings of it that were not looked at yet. */
  readonly behind: number
  /** Periods, of all series, that are not over yet. */
  readonly open_periods: number
  /** Readings that `where` had no answer for; they do not count. */
  readonly undecided: number
  /** Periods that are lost, because there are as many series as one table may have. */
  readonly left_out: number
}

export type BrokerSection = {
  /** Each listener as a URL, such as `mqtt://127.0.0.1:1883`. */
  readonly listen: readonly string[]
  /** Connections by the kind of listener that they came to: mqtt, mqtts, ws, wss. */
  readonly connections?: Readonly<Record<string, number>> | undefined
  /** What is wrong although it listens, each in a sentence: its certificate. */
  readonly warnings?: readonly string[] | undefined
  /** Clients connected now. */
  readonly clients: number
  /** Since the start, by name: messages taken, refused, dropped. */
  readonly counters: Readonly<Record<string, number>>
}

export type DevicesSection = {
  readonly online: number
  readonly offline: number
  /** Heard, and not listed, because there are too many names. */
  readonly left_out: number
}

/** Since the start. */
export type IngestSection = {
  readonly publishes: number
  readonly readings: number
  /** Readings that a device sent again. */
  readonly duplicates: number
  /** Payloads that could not be decoded: they stand in the table `rejects`. */
  readonly rejects: number
}

export type RulesSection = {
  readonly files: number
  readonly rules: number
  /** What is wrong in the files now, with line and column; the rules read before stay in force. */
  readonly problems: readonly string[]
  /** Alerts that fire now, and violations whose hold is not over. */
  readonly firing: number
  readonly pending: number
  /** Alerts that are over and wait for somebody to acknowledge them. */
  readonly latched?: number | undefined
  /** Of those that fire, how many a silence keeps quiet. */
  readonly silenced?: number | undefined
  /** Of those that are pending, how many would fire if `alerts.active_max` did not fire already; and that limit. */
  readonly refused?: number | undefined
  readonly active_max?: number | undefined
  /** Since the start: rules asked about a reading or a moment, readings that came late, readings recorded, alerts begun and ended. */
  readonly evaluations?: number | undefined
  readonly late?: number | undefined
  readonly recorded?: number | undefined
  /** Readings of rules that could not be stored: the disk is full, or the table has as many series as it may have. */
  readonly unrecorded?: number | undefined
  readonly raised?: number | undefined
  readonly resolved?: number | undefined
}

/** Since the start, where nothing else is said. */
export type NotificationsSection = {
  /** Tellings on the local broker, those of them that were repetitions, and tellings of groups. */
  readonly announced: number
  readonly repeated: number
  readonly groups: number
  /** Tellings that a silence held back. */
  readonly suppressed: number
  /** Silences in force now. */
  readonly silences: number
  readonly actions: {
    readonly done: number
    /** Tries that failed, and actions that were given up after the last of them. */
    readonly failed: number
    readonly given_up: number
    /** Actions that wait to be done now. */
    readonly waiting: number
    readonly last_failure: { readonly alert: string; readonly reason: string; readonly at_ms: number } | null
  }
}

export type BridgeSection = {
  readonly name: string
  readonly url: string
  /** `talking` is well; `offline`, `greeting` and `refused` are not yet, or not. */
  readonly state: string
  /** Since when it is connected; null while it is not. */
  readonly connected_since_ms: number | null
  /** Why it is not connected, in a sentence. */
  readonly reason?: string | undefined
  /** When it tries again; null while it is connected. */
  readonly next_attempt_ms?: number | null | undefined
  /** The MQTT version that is spoken, or that is tried next: 3.1.1 or 5. */
  readonly mqtt_version?: string | undefined
  /** When our certificate runs out; null without one. */
  readonly certificate_expires_ms?: number | null | undefined
  /** What is wrong although it may be connected, each in a sentence: topics kept from us, files that do not fit. */
  readonly warnings?: readonly string[] | undefined
  /** The daily budget, where there is one: bytes, what is left of them, and when it is whole again. */
  readonly daily_bytes?:
    | { readonly bytes: number; readonly left: number; readonly renews_ms: number }
    | null
    | undefined
  /** Bytes a second that may go up; null without a limit. */
  readonly rate_bytes?: number | null | undefined
  readonly streams: readonly StreamSection[]
}

export type StreamSection = {
  readonly table: string
  /** As this side sees it. */
  readonly direction: 'send' | 'receive'
  /** Entries that the receiving side does not have yet. */
  readonly behind: number
  /** Age of the oldest of them; null if there is none, or it is not known. */
  readonly oldest_unsent_ms: number | null
  /** The last position that the receiving side has confirmed. */
  readonly confirmed: number
  readonly sent_bytes: number
  /** `idle` and `moving` are well; `stalled` is connected, but the confirmed position does not move. */
  readonly state: string
  /** Entries that were put aside because the receiving side cannot take them, or not yet. */
  readonly parked: number
  /** Frames that the receiving side could not read or did not expect. */
  readonly refused?: number | undefined
  /** Entries that `where` had no answer for; they are not sent. */
  readonly undecided?: number | undefined
  /** Entries that the receiving side will never see, and the newest reason: they stand in the table `gaps`. */
  readonly gaps?: number | undefined
  readonly gap_reason?: string | undefined
  /** When something was confirmed last, since the start; null if nothing was. */
  readonly last_confirmed_ms?: number | null | undefined
  /** Why it is in this state, where that says more than the state. */
  readonly reason?: string | undefined
  /** When it goes on by itself, where that is known: the next window, the next day's budget. */
  readonly goes_on_ms?: number | null | undefined
}

export type HubSection = {
  readonly id: string
  readonly listen: readonly string[]
  /** The broker through which it meets its gateways, where it does not listen. */
  readonly broker?:
    | { readonly url: string; readonly connected: boolean; readonly reason: string | undefined }
    | undefined
  /** What is wrong although it may be connected, each in a sentence: its certificate, files that do not fit. */
  readonly warnings?: readonly string[] | undefined
  readonly gateways: readonly {
    readonly id: string
    readonly connected: boolean
    /** When it was last heard of; null if never. */
    readonly last_contact_ms: number | null
    readonly streams: readonly StreamSection[]
  }[]
}

export function storeSection(
  {
    state,
    reason,
    epoch,
    commits,
    readings,
    duplicates,
    failures,
    repairs,
    damagedValues,
    bytesWritten,
    tables,
  }: StoreStatus,
  more: (table: string) => Partial<TableSection> = () => ({}),
): StoreSection {
  const sections = tables.map(table => ({ ...tableSection(table), ...more(table.name) }))
  const counts = { commits, readings, duplicates, failures, repairs }
  return {
    state,
    reason,
    epoch,
    ...counts,
    damaged_values: damagedValues,
    bytes_written: bytesWritten,
    tables: sections,
  }
}

export function tableSection({ logBytes, ...rest }: StoreStatus['tables'][number]): TableSection {
  return { ...rest, log_bytes: logBytes }
}
