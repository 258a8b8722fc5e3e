/** As much of protobuf's wire format as a pretend Sparkplug node needs, written by hand: fields in, bytes out. Pure. */

/** A number is a varint, a text or bytes have their length before them; a double says so itself. */
export type Field = readonly [number: number, value: number | boolean | string | Buffer | Double | undefined]
export type Double = { readonly double: number }

const [varintType, eightBytesType, lengthType] = [0, 1, 2]

/** What is undefined is left out. */
export function protobuf(fields: readonly Field[]): Buffer {
  return Buffer.concat(fields.map(([number, value]) => (value === undefined ? Buffer.alloc(0) : field(number, value))))
}

function field(number: number, value: number | boolean | string | Buffer | Double): Buffer {
  const tag = (type: number): Buffer => varint(number * 8 + type)
  if (typeof value === 'number' || typeof value === 'boolean')
    return Buffer.concat([tag(varintType), varint(Number(value))])
  if (typeof value === 'string' || Buffer.isBuffer(value)) {
    const bytes = Buffer.from(value as string)
    return Buffer.concat([tag(lengthType), varint(bytes.length), bytes])
  }
  const bytes = Buffer.alloc(8)
  bytes.writeDoubleLE(value.double)
  return Buffer.concat([tag(eightBytesType), bytes])
}

/** Seven bits in each byte, the lowest first; the eighth says that there is more. Takes what a double holds exactly. */
function varint(value: number): Buffer {
  const bytes: number[] = []
  let left = value
  for (; left >= 128; left = Math.floor(left / 128)) bytes.push((left % 128) + 128)
  return Buffer.from([...bytes, left])
}
