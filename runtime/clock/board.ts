/**
 * The board's clock: the one time that every room of a gateway goes by.
 *
 *   trusted      the wall clock, or the hub's time where ours is far off
 *   untrusted    base of the boot + uptime: runs evenly whatever steps the wall clock makes, so that one offset, once
 *                it is known, corrects all that was taken in this boot
 *
 * The base is where the boot is assumed to have begun: as late as the wall clock says or as the floor of stamps, so that
 * a board without a clock goes on from the last time it knew. Pure but for the two clocks that it is given.
 */
export type Clocks = { readonly wallMs: () => number; readonly monotonicMs: () => number }

export type BoardClock = {
  /** Milliseconds since 1970, as far as anybody knows here. */
  readonly now: () => number
  /** The boot that a reading which arrives now must name; undefined while the time is known. */
  readonly boot: () => string | undefined
  /** Base plus uptime: what `now` says, or would say, without any correction. */
  readonly provisionalMs: () => number
  /** The moment of the boot is taken to be `baseMs`. `offsetMs` if it was found out for good what that needs added. */
  readonly begin: (baseMs: number, offsetMs: number | undefined) => void
  /**
   * The time is known: the wall clock's, plus an offset where somebody else's is used. For good: the rest of this boot
   * needs no wall clock any more, uptime tells the time.
   */
  readonly trust: (offsetMs: number, isForGood: boolean) => void
  readonly distrust: () => void
  /** How long the system has been running. */
  readonly uptimeMs: () => number
  /** What the system itself says of that: a program's monotonic clock stands still while the machine sleeps. */
  readonly wokeUp: (uptimeMs: number) => void
  /** The time by uptime alone, once it is known for good. */
  readonly knownMs: () => number | undefined
  readonly isTrusted: boolean
}

/** The two are read one after the other, and one of them tells hundredths of a second. */
const napMs = 2_000

export function boardClock({ wallMs, monotonicMs }: Clocks, boot: { id: string; uptimeMs: number }): BoardClock {
  let uptimeAheadMs = boot.uptimeMs - monotonicMs()
  let base: number | undefined
  /** What the provisional time needs added, once that is known for good. */
  let correctionMs: number | undefined
  /** While trusted by another's time: what to add to the monotonic clock, which no step of the wall clock moves. */
  let heldMs: number | undefined
  let isTrusted = false

  const uptimeMs = (): number => monotonicMs() + uptimeAheadMs
  const provisionalMs = (): number => (base === undefined ? wallMs() : Math.round(base + uptimeMs()))
  return {
    now: () => {
      if (!isTrusted) return provisionalMs() + (correctionMs ?? 0)
      return heldMs === undefined ? wallMs() : Math.round(heldMs + monotonicMs())
    },
    boot: () => (isTrusted || correctionMs !== undefined ? undefined : boot.id),
    provisionalMs,
    begin: (baseMs, offsetMs) => {
      base = baseMs
      correctionMs = offsetMs
    },
    trust: (offsetMs, isForGood) => {
      isTrusted = true
      heldMs = offsetMs === 0 ? undefined : wallMs() + offsetMs - monotonicMs()
      if (isForGood && base !== undefined) correctionMs ??= Math.round(wallMs() + offsetMs - provisionalMs())
    },
    distrust: () => {
      isTrusted = false
      heldMs = undefined
    },
    uptimeMs,
    wokeUp: systemMs => {
      if (systemMs - uptimeMs() > napMs) uptimeAheadMs = systemMs - monotonicMs()
    },
    knownMs: () => (correctionMs === undefined ? undefined : provisionalMs() + correctionMs),
    get isTrusted() {
      return isTrusted
    },
  }
}
