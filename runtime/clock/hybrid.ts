/**
 * The hybrid logical clock: stamps that follow the wall clock while it behaves, and go on counting when it doesn't.
 *
 * Promises [I5]: a stamp is later than every stamp given or seen before, however the wall clock jumps; what is taken
 * never overlaps; with its floor raised after a restart, this holds across restarts and boots in 1970 too.
 * Never decides whether a peer's stamp may be believed: the receiver asks `isTooFarAhead` before it lets one in.
 */
import { type Stamp, stampAt, stampMax, stampMs, stampPlus, stampZero, stampsPerMs } from '../stamp.ts'

/** Structurally the store's `Stamps`, and the floor to raise when the store has been opened. */
export type HybridClock = {
  take(count: number): Stamp
  observe(stamp: Stamp): void
  /** The stamp that was persisted last: nothing taken from now on is earlier. */
  raiseFloor(stamp: Stamp): void
  /**
   * Goes back, if it is later. The one exception to "never backwards" [I5], for a floor that trusted time has disproved:
   * without it one boot ten years ahead would win every conflict for ten years.
   */
  lower(stamp: Stamp): void
  readonly last: Stamp
  /** No honest stamp is later than this one; undefined while nobody knows. */
  readonly honestMax: Stamp | undefined
}

/**
 * The last year that a stamp can hold (2089) is kept free. A wall clock in it is wrong, and believing it would leave no
 * later stamp to take: such times count as "no news", and the year's 10^14 stamps are room for going on.
 */
const ceiling = stampPlus(stampMax, -366 * 86_400_000 * stampsPerMs)

/** `trustedMs` is the time if it can be trusted; no stamp is honest that is further ahead of it than `aheadMs`. */
export function hybridClock(
  wallMs: () => number,
  trustedMs: () => number | undefined = () => undefined,
  aheadMs: number = maxAheadMs,
): HybridClock {
  let last = stampZero
  const seen = (stamp: Stamp): void => {
    if (stamp > last && stamp <= ceiling) last = stamp
  }
  return {
    take(count) {
      const wall = stampAt(wallMs())
      const first = wall > last && wall <= ceiling ? wall : stampPlus(last, 1)
      last = stampPlus(first, Math.max(count, 1) - 1)
      return first
    },
    observe: seen,
    raiseFloor: seen,
    lower(stamp) {
      if (stamp < last) last = stamp
    },
    get honestMax() {
      const nowMs = trustedMs()
      return nowMs === undefined ? undefined : stampAt(nowMs + aheadMs)
    },
    get last() {
      return last
    },
  }
}

/** How far ahead of us a peer's stamp may be, unless `clock.max_ahead` says otherwise. More, and one bad clock would win every conflict for ever. */
export const maxAheadMs = 3_600_000

/** This program is younger than any clock that shows an earlier time: such a clock can judge nobody else's. */
export const earliestHonestMs = Date.UTC(2026, 0, 1)

/** True if a stamp claims a time that is further ahead of `wallMs` than clocks honestly differ. */
export function isTooFarAhead(stamp: Stamp, wallMs: number, aheadMs: number = maxAheadMs): boolean {
  return wallMs >= earliestHonestMs && stampMs(stamp) > wallMs + aheadMs
}
