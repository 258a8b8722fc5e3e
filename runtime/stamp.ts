/**
 * Stamp: hybrid logical time in one number, so that comparing two is `<`.
 *
 *   stamp = (milliseconds since 2020-01-01T00:00:00Z) * 4096 + counter
 *
 * 41 bits of milliseconds and 12 of counter fill the 53 bits that a double holds exactly: good until 2089.
 * A counter that overflows runs into the next millisecond, which a hybrid clock may do.
 */
declare const stampBrand: unique symbol
export type Stamp = number & { readonly [stampBrand]: true }

export const stampsPerMs = 4096
const epochMs = Date.UTC(2020, 0, 1)

export const stampMax = Number.MAX_SAFE_INTEGER as Stamp
export const stampZero = 0 as Stamp

/** The first stamp of a millisecond (since 1970). Times before 2020 or past 2089 are clamped to the ends. */
export function stampAt(ms: number): Stamp {
  const ticks = Math.floor((ms - epochMs) * stampsPerMs)
  return Math.min(Math.max(ticks, 0), Number.MAX_SAFE_INTEGER) as Stamp
}

/** Milliseconds since 1970 that a stamp stands for. */
export function stampMs(stamp: Stamp): number {
  return Math.floor(stamp / stampsPerMs) + epochMs
}

/** The stamp `count` places after this one: entries committed together take neighbouring stamps. */
export function stampPlus(stamp: Stamp, count: number): Stamp {
  return (stamp + count) as Stamp
}
