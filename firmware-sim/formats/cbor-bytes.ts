/** The few forms of CBOR (RFC 8949) that devices send, written by hand: a second opinion to whoever reads them. Pure. */

export type CborValue =
  | number
  | boolean
  | string
  | readonly CborValue[]
  | ReadonlyMap<string | number, CborValue | undefined>

const [unsigned, negative, textString, array, map] = [0, 1, 3, 4, 5]

/** What is undefined in a map is left out. `indefinite` writes the outermost container without its length. */
export function cborBytes(value: CborValue, indefinite = false): Buffer {
  if (typeof value === 'boolean') return Buffer.from([value ? 0xf5 : 0xf4])
  if (typeof value === 'number') return numberBytes(value)
  if (typeof value === 'string') return Buffer.concat([head(textString, Buffer.byteLength(value)), Buffer.from(value)])
  const isMap = value instanceof Map
  const items: CborValue[] = isMap ? itemsOf(value) : [...(value as readonly CborValue[])]
  const major = isMap ? map : array
  const count = isMap ? items.length / 2 : items.length
  const parts = items.map(item => cborBytes(item))
  return indefinite
    ? Buffer.concat([Buffer.from([(major << 5) | 31]), ...parts, Buffer.from([0xff])])
    : Buffer.concat([head(major, count), ...parts])
}

function itemsOf(entries: ReadonlyMap<string | number, CborValue | undefined>): CborValue[] {
  return [...entries].flatMap(([key, item]) => (item === undefined ? [] : [key, item]))
}

function numberBytes(value: number): Buffer {
  if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
    return value < 0 ? head(negative, -1 - value) : head(unsigned, value)
  }
  // A shorter float is for what fits it exactly, as half-integers of a thermometer do.
  const isShort = Object.is(Math.fround(value), value)
  const bytes = Buffer.alloc(isShort ? 5 : 9)
  bytes[0] = isShort ? 0xfa : 0xfb
  if (isShort) bytes.writeFloatBE(value, 1)
  else bytes.writeDoubleBE(value, 1)
  return bytes
}

/** The kind of an item, and its number in as few bytes as it needs. */
function head(major: number, argument: number): Buffer {
  const kind = major << 5
  if (argument < 24) return Buffer.from([kind | argument])
  if (argument < 2 ** 8) return Buffer.from([kind | 24, argument])
  const bytes = Buffer.alloc(argument < 2 ** 16 ? 3 : argument < 2 ** 32 ? 5 : 9)
  if (bytes.length === 3) bytes.writeUInt16BE(argument, 1)
  else if (bytes.length === 5) bytes.writeUInt32BE(argument, 1)
  else bytes.writeBigUInt64BE(BigInt(argument), 1)
  bytes[0] = kind | (bytes.length === 3 ? 25 : bytes.length === 5 ? 26 : 27)
  return bytes
}
