/**
 * Every number that bounds the broker [I6]. Those that may be tuned are in `runtime/broker-limits.ts`, with their reasons;
 * here are those that may not. Nothing else in this room invents a bound.
 */
import { type TunedBrokerLimits, tunedDefaults } from '../broker-limits.ts'

export type BrokerLimits = TunedBrokerLimits & {
  readonly controlBytesMax: number
  readonly nameBytesMax: number
  readonly deliveriesMax: number
  readonly packetsBeforeConnackMax: number
  readonly pendingBytesPerConnectionMax: number
  readonly pendingBytesMax: number
  readonly sessionGraceMs: number
  readonly addressesRememberedMax: number
  readonly clientsRememberedMax: number
  readonly topicSlots: number
  readonly topicAliasesMax: number
}

export const defaultBrokerLimits: BrokerLimits = {
  ...tunedDefaults,
  /** SUBSCRIBE and UNSUBSCRIBE: some 60 filters of the greatest length in one packet. */
  controlBytesMax: 16 * 1024,
  /** Client ids and user names. */
  nameBytesMax: 256,
  /** Deliveries to subscribers under way at once, before one slow reader delays the others [A7]. */
  deliveriesMax: 1_000,
  packetsBeforeConnackMax: 42,
  /** Accepted and not yet durable: 100 ms between two syncs at 300,000 messages a second are 3 MB in all. */
  pendingBytesPerConnectionMax: 2 * 1024 * 1024,
  pendingBytesMax: 16 * 1024 * 1024,
  /** After a start no session ends for so long: nobody could come while the gateway was off. */
  sessionGraceMs: 10 * 60_000,
  /** Addresses, and users at them, whose tries are counted: about 300 bytes each. */
  addressesRememberedMax: 4_096,
  /** Clients whose pace is remembered while they are away: about 500 bytes each. */
  clientsRememberedMax: 4_096,
  /** Topics remembered with their verdicts; a power of two. 16,384 of the greatest length are some 8 MB. */
  topicSlots: 16_384,
  /** Topics that one client of MQTT 5 may name by a number: as many as a device has sensors, 8 kB at most. */
  topicAliasesMax: 32,
}

/** As good as none. */
const plenty = 1e12

/** Of a hub's listener for gateways: known to it, a house of them behind one address, and each as fast as its link. */
export const hubBrokerLimits: BrokerLimits = {
  ...defaultBrokerLimits,
  connectionsMax: 1_024,
  connectionsPerAddressMax: 256,
  publishesPerSecondMax: plenty,
  publishBurstMax: plenty,
  publishBytesPerSecondMax: plenty,
  publishBurstBytesMax: plenty,
}
