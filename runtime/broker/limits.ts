/**
 * Every number that bounds the broker, with its reason [I6]. Nothing else in this room invents a bound.
 */
export type BrokerLimits = {
  readonly packetBytesMax: number
  readonly connectBytesMax: number
  readonly controlBytesMax: number
  readonly willBytesMax: number
  readonly topicBytesMax: number
  readonly topicLevelsMax: number
  readonly nameBytesMax: number
  readonly connectionsMax: number
  readonly connectionsPerAddressMax: number
  readonly subscriptionsPerClientMax: number
  readonly connectTimeoutMs: number
  readonly drainTimeoutMs: number
  readonly deliveriesMax: number
  readonly packetsBeforeConnackMax: number
  readonly inflightQos2Max: number
  readonly pendingBytesPerConnectionMax: number
  readonly pendingBytesMax: number
  readonly retainedMessagesMax: number
  readonly retainedBytesMax: number
  readonly sessionsMax: number
  readonly queuedMessagesPerSessionMax: number
  readonly queuedBytesMax: number
  readonly sessionExpiryMs: number
  readonly queuedExpiryMs: number
  readonly retainedExpiryMs: number | undefined
  readonly sessionGraceMs: number
  readonly willGraceMs: number
  readonly topicSlots: number
  readonly topicAliasesMax: number
}

export const defaultBrokerLimits: BrokerLimits = {
  /** Whole frame. The largest JSON documents seen from gateways and cameras are near 100 kB; MQTT itself allows 256 MB [A2]. */
  packetBytesMax: 256 * 1024,
  /** A CONNECT holds names, a password and a will; this is all that an unknown peer may make us hold [A2]. */
  connectBytesMax: 4 * 1024,
  /** SUBSCRIBE and UNSUBSCRIBE: some 60 filters of the greatest length in one packet. */
  controlBytesMax: 16 * 1024,
  willBytesMax: 2 * 1024,
  topicBytesMax: 256,
  /** Eight levels are seven slashes, as the strictest clouds allow. */
  topicLevelsMax: 8,
  /** Client ids and user names. */
  nameBytesMax: 256,
  /** About 20 kB each when idle. */
  connectionsMax: 1_024,
  /** Below the limit for all, so that one machine cannot keep the others out; above the largest simulated fleet. */
  connectionsPerAddressMax: 256,
  subscriptionsPerClientMax: 100,
  /** Silent sockets go before they add up [A14]. */
  connectTimeoutMs: 5_000,
  /** How long a reader may leave its socket full before it is dropped [A7]. */
  drainTimeoutMs: 10_000,
  /** Deliveries to subscribers under way at once, before one slow reader delays the others [A7]. */
  deliveriesMax: 1_000,
  packetsBeforeConnackMax: 42,
  /** QoS 2 publishes of one client that wait for PUBREL. */
  inflightQos2Max: 1_000,
  /** Accepted and not yet durable: 100 ms between two syncs at 300,000 messages a second are 3 MB in all. */
  pendingBytesPerConnectionMax: 2 * 1024 * 1024,
  pendingBytesMax: 16 * 1024 * 1024,
  retainedMessagesMax: 2_000,
  retainedBytesMax: 4 * 1024 * 1024,
  sessionsMax: 256,
  queuedMessagesPerSessionMax: 1_000,
  /** Of all sessions together. */
  queuedBytesMax: 16 * 1024 * 1024,
  /** Longer than a long weekend and a courier; a client that is gone for good gives its place back after it. */
  sessionExpiryMs: 7 * 86_400_000,
  queuedExpiryMs: 7 * 86_400_000,
  /** A retained message is the state of something: it is true until the next. */
  retainedExpiryMs: undefined,
  /** After a start no session ends for so long: nobody could come while the gateway was off. */
  sessionGraceMs: 10 * 60_000,
  /** Wills of clients that were connected at the end wait for them so long: most clients are back within a keepalive. */
  willGraceMs: 60_000,
  /** Topics remembered with their verdicts; a power of two. 16,384 of the greatest length are some 8 MB. */
  topicSlots: 16_384,
  /** Topics that one client of MQTT 5 may name by a number: as many as a device has sensors, 8 kB at most. */
  topicAliasesMax: 32,
}
