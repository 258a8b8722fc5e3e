/** Snappy, the reading half: LevelDB compresses its blocks with it. Pure; `undefined` for what is not whole. */

/** A block of LevelDB is some kilobytes, or one large value; beyond this a length is damage [I6]. */
const inflatedBytesMax = 64 << 20

export function unsnappy(bytes: Buffer): Buffer | undefined {
  const [length, begin] = varintAt(bytes, 0)
  if (begin === 0 || length > inflatedBytesMax) return undefined
  const out = Buffer.alloc(length)
  let at = begin
  let end = 0
  while (at < bytes.length) {
    const tag = bytes[at++] as number
    let count: number
    let back = 0
    switch (tag & 3) {
      case 0: {
        count = (tag >>> 2) + 1
        if (count > 60) {
          const width = count - 60
          if (at + width > bytes.length) return undefined
          count = bytes.readUIntLE(at, width) + 1
          at += width
        }
        if (at + count > bytes.length || end + count > length) return undefined
        bytes.copy(out, end, at, at + count)
        at += count
        end += count
        continue
      }
      case 1:
        count = ((tag >>> 2) & 7) + 4
        if (at + 1 > bytes.length) return undefined
        back = ((tag >>> 5) << 8) | (bytes[at] as number)
        at += 1
        break
      case 2:
        count = (tag >>> 2) + 1
        if (at + 2 > bytes.length) return undefined
        back = bytes.readUInt16LE(at)
        at += 2
        break
      default:
        count = (tag >>> 2) + 1
        if (at + 4 > bytes.length) return undefined
        back = bytes.readUInt32LE(at)
        at += 4
    }
    if (back === 0 || back > end || end + count > length) return undefined
    // Byte by byte: a copy may reach into what it writes.
    for (let index = 0; index < count; index++, end++) out[end] = out[end - back] as number
  }
  return end === length ? out : undefined
}

/** A number of LevelDB's form and where it ends; the end is 0 if there is none. */
export function varintAt(bytes: Buffer, from: number): [value: number, end: number] {
  let value = 0
  let scale = 1
  for (let at = from; at < bytes.length && at < from + 8; at++) {
    const byte = bytes[at] as number
    value += (byte & 127) * scale
    if (byte < 128) return [value, at + 1]
    scale *= 128
  }
  return [0, 0]
}

export function writeVarint(value: number): Buffer {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 128; rest = Math.floor(rest / 128)) bytes.push((rest % 128) | 128)
  return Buffer.from([...bytes, rest])
}
