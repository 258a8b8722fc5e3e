/**
 * CRC-32C, as LevelDB seals the blocks of its files with it; Node's own `crc32` has another polynomial. Eight bytes a
 * step, because whole stores are read with it. Pure.
 */
const tables = makeTables()

function makeTables(): readonly Uint32Array[] {
  const made = Array.from({ length: 8 }, () => new Uint32Array(256))
  const first = made[0] as Uint32Array
  for (let byte = 0; byte < 256; byte++) {
    let crc = byte
    for (let bit = 0; bit < 8; bit++) crc = crc & 1 ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1
    first[byte] = crc >>> 0
  }
  for (let step = 1; step < 8; step++) {
    const before = made[step - 1] as Uint32Array
    const table = made[step] as Uint32Array
    for (let byte = 0; byte < 256; byte++) {
      const crc = before[byte] as number
      table[byte] = ((crc >>> 8) ^ (first[crc & 255] as number)) >>> 0
    }
  }
  return made
}

const [t0, t1, t2, t3, t4, t5, t6, t7] = tables as [
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
  Uint32Array,
]

/** Of the bytes from `start` to `end`. */
export function crc32c(bytes: Buffer, start = 0, end = bytes.length): number {
  let crc = 0xffffffff
  let at = start
  for (; at + 8 <= end; at += 8) {
    const low = crc ^ bytes.readInt32LE(at)
    const high = bytes.readInt32LE(at + 4)
    crc =
      (t7[low & 255] as number) ^
      (t6[(low >>> 8) & 255] as number) ^
      (t5[(low >>> 16) & 255] as number) ^
      (t4[low >>> 24] as number) ^
      (t3[high & 255] as number) ^
      (t2[(high >>> 8) & 255] as number) ^
      (t1[(high >>> 16) & 255] as number) ^
      (t0[high >>> 24] as number)
  }
  for (; at < end; at++) crc = step(crc, bytes[at] as number)
  return (crc ^ 0xffffffff) >>> 0
}

/** One byte more; begin with `0xffffffff`. For who looks for an end that is not known. */
export const step = (crc: number, byte: number): number => (crc >>> 8) ^ (t0[(crc ^ byte) & 255] as number)

/** What LevelDB stores: a sum of bytes that hold sums would be weak, so it is turned and shifted. */
export const masked = (crc: number): number => (((crc >>> 15) | (crc << 17)) + 0xa282ead8) >>> 0
