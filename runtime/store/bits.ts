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

/** Reads `count` numbers into `target` from `start` on. `source` is exactly as long as they take. */
export function unpackBits(
  source: Uint8Array,
  target: Float64Array,
  start: number,
  count: number,
  width: number,
): void {
  if (width === 0) {
    target.fill(0, start, start + count)
  } else if (width <= wholeWidthMax) {
    unpackPlane(source, 0, target, start, count, width)
  } else {
    const rest = new Float64Array(count)
    unpackPlane(source, 0, target, start, count, lowWidth)
    unpackPlane(source, packedBytes(count, lowWidth), rest, 0, count, width - lowWidth)
    for (let index = 0; index < count; index++) {
      target[start + index] = (target[start + index] as number) + (rest[index] as number) * 2 ** lowWidth
    }
  }
}

function unpackPlane(
  source: Uint8Array,
  from: number,
  target: Float64Array,
  start: number,
  count: number,
  width: number,
): void {
  const mask = (1 << width) - 1
  const end = start + count
  let at = from
  let held = 0
  let bits = 0
  for (let index = start; index < end; index++) {
    while (bits < width) {
      held |= (source[at++] as number) << bits
      bits += 8
    }
    target[index] = held & mask
    held >>>= width
    bits -= width
  }
}
