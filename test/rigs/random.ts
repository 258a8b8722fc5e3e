/**
 * A small seeded random source: the same seed gives the same campaign, so a failing round can be run again.
 */
export type Random = {
  /** From 0 up to, but not, 1. */
  next(): number
  /** A whole number from 0 up to, but not, `end`. */
  below(end: number): number
}

export function randomOf(...seeds: readonly number[]): Random {
  // Mixes the seeds first, so that neighbours (1, 2, 3 …) do not give neighbouring runs.
  let state = 0x9e3779b9
  for (const seed of seeds) state = Math.imul(state ^ (seed >>> 0), 0x85ebca6b) ^ (state >>> 13)
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  return { next, below: end => Math.floor(next() * end) }
}
