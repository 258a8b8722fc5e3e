/**
 * What may be tuned of the broker's bounds [I6], each once: its key in `broker.limits`, the name that the broker knows it
 * by, default and range, the counters that tell that it was met, and its sentence. The configuration, the broker's
 * defaults, `/metrics` and the test that goes over them all are made from this list, so a limit that is not here cannot
 * be set, and one that is here is counted, documented and tested. Data only. The reason of each default stands beside it.
 */
import { parseDurationMs, parseSizeBytes } from './units.ts'

type Kind = 'count' | 'size' | 'duration'
export type LimitEntry = {
  readonly field: string
  readonly kind: Kind
  readonly min: number
  readonly max: number
  /** As a person writes it; `never` for a duration that is not there unless it is written. */
  readonly fallback: string
  /** What the broker counts when it is met, by cause. */
  readonly counters: readonly string[]
  readonly sentence: string
}

const kiB = 1024
const hourMs = 3_600_000
const dayMs = 24 * hourMs
const yearsMs = 3650 * dayMs
/** As good as none: no board takes as much. */
const plenty = 10_000_000

export const brokerLimitKeys = {
  // The largest JSON documents seen from gateways and cameras are near 100 kB; MQTT itself allows 256 MB [A2].
  packet_bytes: {
    field: 'packetBytesMax',
    kind: 'size',
    min: 1024,
    max: 16 * kiB ** 2,
    fallback: '256KiB',
    counters: ['refused_packet_bytes'],
    sentence:
      'The largest MQTT packet that is taken; a client that sends a larger one is disconnected before it is read.',
  },
  // Names, a password and a will: all that an unknown peer may make us hold [A2].
  connect_bytes: {
    field: 'connectBytesMax',
    kind: 'size',
    min: 512,
    max: 64 * kiB,
    fallback: '4KiB',
    counters: ['refused_connect_bytes'],
    sentence: 'The largest CONNECT that is taken: all that an unknown client may make the gateway hold.',
  },
  // A status line; it is kept as long as the client, and a storm of wills is published at once [A12].
  will_bytes: {
    field: 'willBytesMax',
    kind: 'size',
    min: 0,
    max: 64 * kiB,
    fallback: '2KiB',
    counters: ['refused_will_bytes'],
    sentence: 'The largest payload of a will.',
  },
  // Longer than any topic of the formats that we know, and short enough to be remembered by the thousand.
  topic_bytes: {
    field: 'topicBytesMax',
    kind: 'size',
    min: 16,
    max: 64 * kiB - 1,
    fallback: '256B',
    counters: ['refused_topic_bytes', 'refused_will_topic_bytes'],
    sentence: 'The longest topic that a client may publish to.',
  },
  // Eight levels are seven slashes, as the strictest clouds allow; a topic of thousands costs a recursion each [A6].
  topic_levels: {
    field: 'topicLevelsMax',
    kind: 'count',
    min: 1,
    max: 128,
    fallback: '8',
    counters: ['refused_topic_levels', 'refused_will_topic_levels'],
    sentence: 'Levels that a topic or subscription may have.',
  },
  // About 20 kB each when idle.
  connections: {
    field: 'connectionsMax',
    kind: 'count',
    min: 1,
    max: 20_000,
    fallback: '512',
    counters: ['refused_connections'],
    sentence: 'Clients connected at once.',
  },
  // Far below the limit for all, so that one machine cannot keep the others out.
  connections_per_address: {
    field: 'connectionsPerAddressMax',
    kind: 'count',
    min: 1,
    max: 20_000,
    fallback: '64',
    counters: ['refused_connections_per_address'],
    sentence: 'Clients connected at once from one address.',
  },
  // A login with a password costs some tens of milliseconds of one core: more than this a board cannot judge.
  connect_rate: {
    field: 'connectsPerSecondMax',
    kind: 'count',
    min: 1,
    max: 100_000,
    fallback: '50',
    counters: ['refused_connect_rate'],
    sentence: 'New connections a second, once as many as may be connected at once (or ten seconds of these) have come.',
  },
  // A house that comes back after a power cut is served by the burst; nobody needs ten new connections every second.
  connect_rate_per_address: {
    field: 'connectsPerSecondPerAddressMax',
    kind: 'count',
    min: 1,
    max: 100_000,
    fallback: '10',
    counters: ['refused_connect_rate_per_address'],
    sentence: 'The same of one address.',
  },
  // Silent sockets go before they add up [A14].
  connect_timeout: {
    field: 'connectTimeoutMs',
    kind: 'duration',
    min: 100,
    max: 60_000,
    fallback: '5s',
    counters: ['refused_connect_timeout'],
    sentence: 'How long a connection may take to say who it is.',
  },
  // Enough for a person who mistypes, and for a machine with several clients whose password was changed.
  failed_logins: {
    field: 'failedLoginsPerMinuteMax',
    kind: 'count',
    min: 1,
    max: 100_000,
    fallback: '10',
    counters: ['refused_logins_per_address'],
    sentence: 'Failed logins a minute from one address; beyond it everybody there waits, and nobody elsewhere.',
  },
  // Two wrong guesses in ten minutes: no password is found so, and a corrected one is taken soon enough.
  login_backoff: {
    field: 'loginBackoffMsMax',
    kind: 'duration',
    min: 1_000,
    max: dayMs,
    fallback: '5m',
    counters: ['refused_login_backoff'],
    sentence:
      'The longest that a user waits at one address: 1s after three failures, and twice as long after each further.',
  },
  login_memory: {
    field: 'loginMemoryMs',
    kind: 'duration',
    min: 1_000,
    max: 30 * dayMs,
    fallback: '1h',
    counters: ['logins_forgotten'],
    sentence: 'How long after its end a wait for failed logins is remembered: the next begins where it was.',
  },
  // A device needs a handful; a program that shows a house some dozens.
  subscriptions: {
    field: 'subscriptionsPerClientMax',
    kind: 'count',
    min: 1,
    max: 100_000,
    fallback: '100',
    counters: ['refused_subscriptions'],
    sentence: 'Subscriptions of one client; a further one is answered with a failure.',
  },
  // What 100 ms between two syncs let in at 100,000 messages a second.
  inflight_in: {
    field: 'inflightInMax',
    kind: 'count',
    min: 1,
    max: 1_000_000,
    fallback: '10000',
    counters: ['held_inflight_in'],
    sentence:
      'Publishes of one client on their way to the disk; beyond it nothing is read from the client until some are there.',
  },
  // Their packet ids are kept until PUBREL, which a client may owe us for ever [A6].
  inflight_qos2: {
    field: 'inflightQos2Max',
    kind: 'count',
    min: 1,
    max: 65_535,
    fallback: '1000',
    counters: ['refused_inflight_qos2'],
    sentence: 'Publishes of QoS 2 that one client may leave unfinished (no PUBREL); at one more it is disconnected.',
  },
  // A window of some round trips; what waits behind it waits in the queue of the session, which is bounded too.
  inflight_out: {
    field: 'inflightOutMax',
    kind: 'count',
    min: 1,
    max: 65_535,
    fallback: '256',
    counters: ['held_inflight_out'],
    sentence: 'Messages of QoS 1 and 2 sent to a session and not acknowledged; further ones wait in its queue.',
  },
  // A device that says more all day long fills a card, not a chart.
  publish_rate: {
    field: 'publishesPerSecondMax',
    kind: 'count',
    min: 1,
    max: plenty,
    fallback: '200',
    counters: ['held_publish_rate', 'publish_rate_exceeded'],
    sentence:
      'Packets a second from one client (publishes, subscriptions, pings), once its burst is used up; a faster one is read from more slowly, and nothing of it is dropped.',
  },
  // Some hours of a device's readings, told at once after an outage.
  publish_burst: {
    field: 'publishBurstMax',
    kind: 'count',
    min: 1,
    max: plenty,
    fallback: '10000',
    counters: ['held_publish_rate'],
    sentence: 'Packets that one client may send at once.',
  },
  publish_rate_bytes: {
    field: 'publishBytesPerSecondMax',
    kind: 'size',
    min: 1_000,
    max: 10e9,
    fallback: '1MB',
    counters: ['held_publish_rate_bytes', 'publish_rate_exceeded'],
    sentence: 'The same in bytes a second.',
  },
  publish_burst_bytes: {
    field: 'publishBurstBytesMax',
    kind: 'size',
    min: 1_000,
    max: 10e9,
    fallback: '16MB',
    counters: ['held_publish_rate_bytes'],
    sentence: 'Bytes that one client may send at once.',
  },
  // MQTT clients ping at 15 s to some minutes; behind one that asks for none a dead cable holds a place for ever.
  keepalive: {
    field: 'keepaliveMsMax',
    kind: 'duration',
    min: 1_000,
    max: 65_535_000,
    fallback: '1h',
    counters: ['keepalive_shortened'],
    sentence:
      'The longest keepalive: a client that asks for a longer one, or for none, is closed after 1.5 of these in silence.',
  },
  // A wireless client that roams is back within seconds.
  drain_timeout: {
    field: 'drainTimeoutMs',
    kind: 'duration',
    min: 100,
    max: 600_000,
    fallback: '10s',
    counters: ['refused_slow_reader'],
    sentence: 'How long a client may leave unread what it is sent, before it is disconnected.',
  },
  // Well below what makes publishers wait for it [A7].
  waiting_bytes: {
    field: 'waitingBytesMax',
    kind: 'size',
    min: 64 * kiB,
    max: 1e9,
    fallback: '4MiB',
    counters: ['refused_waiting_bytes'],
    sentence: 'Bytes that may wait for one client to read them; it is disconnected beyond.',
  },
  // An eighth of the memory of a gateway that is held to 256 MB.
  waiting_bytes_total: {
    field: 'waitingBytesTotalMax',
    kind: 'size',
    min: 64 * kiB,
    max: 10e9,
    fallback: '32MiB',
    counters: ['refused_waiting_bytes_total'],
    sentence: 'The same of all clients together; the one for which most waits is disconnected.',
  },
  retained_messages: {
    field: 'retainedMessagesMax',
    kind: 'count',
    min: 0,
    max: 100_000,
    fallback: '1000',
    counters: ['retained_refused'],
    sentence: 'Retained messages kept, over restarts too; more are refused.',
  },
  retained_bytes: {
    field: 'retainedBytesMax',
    kind: 'size',
    min: 0,
    max: 1e9,
    fallback: '4MB',
    counters: ['retained_refused_bytes'],
    sentence: 'Bytes of retained messages kept; more are refused.',
  },
  // A retained message is the state of something: it is true until the next.
  retained_expiry: {
    field: 'retainedExpiryMs',
    kind: 'duration',
    min: 60_000,
    max: yearsMs,
    fallback: 'never',
    counters: ['retained_expired'],
    sentence: 'How long a retained message is kept.',
  },
  queued_messages: {
    field: 'queuedMessagesPerSessionMax',
    kind: 'count',
    min: 0,
    max: 100_000,
    fallback: '1000',
    counters: ['queue_dropped'],
    sentence:
      'Messages kept for each session until its client acknowledges them; further ones are dropped and counted.',
  },
  queued_bytes: {
    field: 'queuedBytesMax',
    kind: 'size',
    min: 0,
    max: 1e9,
    fallback: '16MiB',
    counters: ['queue_dropped_bytes'],
    sentence: 'Bytes of messages kept for all sessions together; further ones are dropped and counted.',
  },
  queued_expiry: {
    field: 'queuedExpiryMs',
    kind: 'duration',
    min: 1_000,
    max: yearsMs,
    fallback: '7d',
    counters: ['queue_expired'],
    sentence: 'How long a message waits for its session; older ones are dropped and counted.',
  },
  sessions: {
    field: 'sessionsMax',
    kind: 'count',
    min: 0,
    max: 20_000,
    fallback: '256',
    counters: ['refused_sessions'],
    sentence: 'Sessions kept for clients that asked for one; more are refused.',
  },
  // Longer than a long weekend and a courier; a client that is gone for good gives its place back after it.
  session_expiry: {
    field: 'sessionExpiryMs',
    kind: 'duration',
    min: 60_000,
    max: yearsMs,
    fallback: '7d',
    counters: ['sessions_expired'],
    sentence: 'How long a client may be away before its session ends, restarts of the gateway included.',
  },
  // Most clients are back within a keepalive.
  will_grace: {
    field: 'willGraceMs',
    kind: 'duration',
    min: 1_000,
    max: dayMs,
    fallback: '60s',
    counters: ['wills_after_start'],
    sentence:
      'How long after a start clients may come back before the wills are published of those that were connected at its end.',
  },
} as const satisfies Readonly<Record<string, LimitEntry>>

type Entries = typeof brokerLimitKeys
export type BrokerLimitKey = keyof Entries

/** The limits by the names that the broker knows. A time that never comes is undefined. */
export type TunedBrokerLimits = {
  readonly [Key in BrokerLimitKey as Entries[Key]['field']]: Entries[Key]['fallback'] extends 'never'
    ? number | undefined
    : number
}

/** From values by key to values by field. */
export function tunedLimits(values: Readonly<Partial<Record<string, number>>>): TunedBrokerLimits {
  const entries = Object.entries(brokerLimitKeys).map(([key, { field }]) => [field, values[key]])
  return Object.fromEntries(entries) as TunedBrokerLimits
}

/** What holds where nothing is written. */
export const tunedDefaults: TunedBrokerLimits = tunedLimits(
  Object.fromEntries(Object.entries(brokerLimitKeys).map(([key, entry]) => [key, fallbackOf(entry)])),
)

function fallbackOf({ kind, fallback }: LimitEntry): number | undefined {
  if (kind === 'count') return Number(fallback)
  return kind === 'size' ? parseSizeBytes(fallback) : parseDurationMs(fallback)
}
