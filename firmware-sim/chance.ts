/**
 * Chance that can be repeated: every number here follows from a seed and from what is asked about, never from when or
 * in which order it is asked. Two runs with one seed see the same spikes, the same garbage and the same open doors.
 * Not for secrets: the mixing is good enough for weather, no more. Pure.
 */

/**
 * A 32-bit number from a seed and a text: FNV-1a, then a finishing mix so that similar names fall far apart. The seed
 * is mixed before the first letter meets it, or seed 2 and "a" would be seed 1 and "b".
 */
export function hashText(seed: number, text: string): number {
  let hash = hashNumber(2_166_136_261, seed)
  for (let index = 0; index < text.length; index++) {
    hash = Math.imul(hash ^ text.charCodeAt(index), 16_777_619)
  }
  return finish(hash)
}

/** A 32-bit number from another one and a whole number of any size (times in milliseconds pass 32 bits). */
export function hashNumber(hash: number, number: number): number {
  const high = Math.floor(number / 4_294_967_296)
  return finish(Math.imul(finish(hash ^ (number >>> 0)), 0x9e37_79b1) ^ high)
}

/** At least 0 and below 1. */
export function fraction(hash: number): number {
  return hash / 4_294_967_296
}

/**
 * A bell-shaped number of standard deviation 1 that never leaves ±`bellMax`: the sum of four fractions, so that a
 * noisy wave still has bounds a test can hold it to.
 */
export function bell(hash: number): number {
  let sum = -2
  for (let draw = 1; draw <= 4; draw++) sum += fraction(hashNumber(hash, draw))
  return sum * Math.sqrt(3)
}

export const bellMax = 2 * Math.sqrt(3)

/** The finishing step of MurmurHash3: each bit of the input moves about half of the bits of the output. */
function finish(hash: number): number {
  let mixed = hash ^ (hash >>> 16)
  mixed = Math.imul(mixed, 0x85eb_ca6b)
  mixed ^= mixed >>> 13
  mixed = Math.imul(mixed, 0xc2b2_ae35)
  return (mixed ^ (mixed >>> 16)) >>> 0
}
