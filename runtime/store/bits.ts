/**
 * Whole numbers of a known width, one after another without a gap: how columns lie in a chunk.
 *
 *   width 1 to 24   bit by bit, least significant first
 *   width 25 to 32  first the lower 16 bits of all, then the rest of all
 *
 * Never reads or writes beyond what `packedBytes` says.
 */
const wholeWidthMax = 24
const lowWidth = 16

export function packedBytes(count: number, width: number): number {
  if (width <= wholeWidthMax) return (count * width + 7) >>> 3
  return packedBytes(count, lowWidth) + packedBytes(count, width - lowWidth)
}

/** Writes the first `count` of `numbers` at `at`. */
export function packBits(target: Uint8Array, at: number, numbers: Uint32Array, count: number, width: number): void {
  if (width <= wholeWidthMax) return packPlane(target, at, numbers, count, 0, width)
  packPlane(target, at, numbers, count, 0, lowWidth)
  packPlane(target, at + packedBytes(count, lowWidth), numbers, count, lowWidth, width - lowWidth)
}

function packPlane(
  target: Uint8Array,
  start: number,
  numbers: Uint32Array,
  count: number,
  shift: number,
  width: number,
): void {
  const mask = (1 << width) - 1
  let at = start
  let held = 0
  let bits = 0
  for (let index = 0; index < count; index++) {
    held |= (((numbers[index] as number) >>> shift) & mask) << bits
    bits += width
    while (bits >= 8) {
      target[at++] = held
      held >>>= 8
      bits -= 8
    }
  }
  if (bits > 0) target[at] = held
}

/** Reads numbers that begin at `at` into `target` from `start` to before `end`, and adds `base` to each. */
export function unpackBits(
  source: Uint8Array,
  at: number,
  target: Float64Array,
  start: number,
  end: number,
  width: number,
  base: number,
): void {
  if (width <= wholeWidthMax) return unpackPlane(source, at, target, start, end, width, base)
  const rest = new Float64Array(end - start)
  unpackPlane(source, at, target, start, end, lowWidth, base)
  unpackPlane(source, at + packedBytes(end - start, lowWidth), rest, 0, end - start, width - lowWidth, 0)
  for (let index = start; index < end; index++) {
    target[index] = (target[index] as number) + (rest[index - start] as number) * 2 ** lowWidth
  }
}

function unpackPlane(
  source: Uint8Array,
  from: number,
  target: Float64Array,
  start: number,
  end: number,
  width: number,
  base: number,
): void {
  const mask = (1 << width) - 1
  const bytes = source.length
  let index = start
  let bit = 0
  // Nothing in a turn waits for the turn before it: this is what reading a column costs.
  if (width <= 9) {
    for (; index < end; index++, bit += width) {
      const at = from + (bit >>> 3)
      if (at + 1 >= bytes) break
      const word = (source[at] as number) | ((source[at + 1] as number) << 8)
      target[index] = base + ((word >>> (bit & 7)) & mask)
    }
  } else {
    for (; index < end; index++, bit += width) {
      const at = from + (bit >>> 3)
      if (at + 3 >= bytes) break
      const word =
        (source[at] as number) |
        ((source[at + 1] as number) << 8) |
        ((source[at + 2] as number) << 16) |
        ((source[at + 3] as number) << 24)
      target[index] = base + ((word >>> (bit & 7)) & mask)
    }
  }
  // The last of a block may end with its last byte.
  for (; index < end; index++, bit += width) {
    const at = from + (bit >>> 3)
    let word = 0
    for (let byte = 0; byte < 4 && at + byte < bytes; byte++) word |= (source[at + byte] as number) << (byte * 8)
    target[index] = base + ((word >>> (bit & 7)) & mask)
  }
}
