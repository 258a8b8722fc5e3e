/**
 * What the fleet counts at its own end. A number here says only what a device could know: `acknowledged` that an ack
 * came in, `sent` that bytes of QoS 0 were handed to a connection, whether they arrived or not.
 *
 * For every run: readings = readingsAcknowledged + readingsSent + dropped + outstanding.
 */
export type Counts = {
  /** Readings measured. */
  readings: number
  /** PUBLISH packets handed to a connection: readings, copies, garbage, announcements, and all that had to go again. */
  published: number
  /** PUBACK and PUBCOMP that came in: QoS 1 and 2. */
  acknowledged: number
  /** Packets of QoS 0: nobody will ever say whether they arrived. */
  sent: number
  /** Distinct readings, by their first acknowledgement. */
  readingsAcknowledged: number
  /** Distinct readings of QoS 0. */
  readingsSent: number
  garbageSent: number
  garbageAcknowledged: number
  /** Packets that a format wants beside readings: births, presence, chatter. */
  announced: number
  /** Packets that carried a message again: `resentCopies` after its ack on purpose, `resentUnacknowledged` for want of one. */
  resent: number
  resentCopies: number
  resentUnacknowledged: number
  /** Readings that found their device's outbox full. */
  dropped: number
  /** Garbage and copies that were left out because an outbox was full. */
  faultsSkipped: number
  /** Readings never taken, because this process was held up for too long. */
  missed: number
  connections: number
  /** Connections after a device's first. */
  reconnects: number
  connectFailures: number
}

export type Summary = Counts & {
  seed: number
  devices: number
  connected: number
  /** Readings that no one has acknowledged yet. */
  outstanding: number
  elapsedMs: number
}

export function noCounts(): Counts {
  return {
    readings: 0,
    published: 0,
    acknowledged: 0,
    sent: 0,
    readingsAcknowledged: 0,
    readingsSent: 0,
    garbageSent: 0,
    garbageAcknowledged: 0,
    announced: 0,
    resent: 0,
    resentCopies: 0,
    resentUnacknowledged: 0,
    dropped: 0,
    faultsSkipped: 0,
    missed: 0,
    connections: 0,
    reconnects: 0,
    connectFailures: 0,
  }
}
