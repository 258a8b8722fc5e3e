/** What replication asks of whoever keeps the time, and tells him. Left out, the wall clock is as good as any. Types only. */
export type ClockDoor = {
  /** Does this side know what time it is? */
  readonly isTrusted: () => boolean
  /** Stamps of peers that are further ahead are not applied. */
  readonly maxAheadMs: number
  /** The hub has told its time. Nothing from it is applied before this resolves. */
  readonly heard: (seen: Seen) => Promise<void>
}

/** The hub's time, and when it was asked for and heard by our monotonic clock. */
export type Seen = {
  readonly wallMs: number
  readonly isTrusted: boolean
  readonly askedAtMs: number
  readonly heardAtMs: number
}
