/**
 * The `modbus` adapter: what was read from the registers of a Modbus device, as JSON by kind and first address.
 *
 *   {"holding": {"0": [230, 17, 42]}, "coil": {"16": [1, 0]}}
 *
 * `points` say what stands where. The poller of a source of kind modbus-tcp hands over what it has read in this form; a
 * device that publishes its registers may do so too. A point whose registers are not there, or that says that it has no
 * value (`none`, a float that is NaN), gives no reading; what is no register or bit refuses the message.
 */
import type { Reading, Value } from '../runtime/reading.ts'
import { type Adapter, adapterKind } from './adapter.ts'
import { parseJson } from './json-text.ts'
import { isBitKind, type ModbusOptions, modbusOptions, type Point, pointsOf, registerKinds } from './modbus-points.ts'
import { nameFault } from './names.ts'
import { reject } from './reason.ts'

export const modbusKind = adapterKind({
  name: 'modbus',
  sentence: 'the payload is what stands in registers of a Modbus device',
  options: modbusOptions,
  nameOptions: { device: ['device'], metric: 'always' },
  decoder: decoderOf,
})

function decoderOf(options: ModbusOptions): Adapter['decode'] {
  const points = pointsOf(options)
  return (payload, levels) => {
    const parsed = parseJson(payload)
    if (!parsed.ok) return reject(parsed.reason)
    const read = registersOf(parsed.message)
    if (typeof read === 'string') return reject(read)
    const named = levels.get('device') ?? ''
    const readings: Reading[] = []
    for (const point of points) {
      const device = point.device ?? named
      const fault = point.device === undefined ? nameFault('the device', device) : undefined
      if (fault !== undefined) return reject(fault)
      const value = valueOf(point, read)
      if (value === undefined) continue
      const { metric, unit } = point
      readings.push({ device, metric, value, deviceTimeMs: undefined, id: undefined, unit })
    }
    return readings.length > 0 ? { ok: true, readings } : { ok: true, readings, more: {} }
  }
}

/** What was read, by kind: the numbers from each first address on. */
type Registers = ReadonlyMap<string, readonly { readonly start: number; readonly numbers: readonly number[] }[]>

/** Or what is wrong with it, in a sentence. */
function registersOf(message: unknown): Registers | string {
  if (!isMap(message)) return 'not an object of registers by kind'
  const read = new Map<string, { start: number; numbers: readonly number[] }[]>()
  for (const kind of registerKinds) {
    const blocks = Object.hasOwn(message, kind) ? message[kind] : undefined
    if (blocks === undefined) continue
    if (!isMap(blocks)) return `"${kind}" is not an object of lists by address`
    const most = isBitKind(kind) ? 1 : 0xffff
    const lists: { start: number; numbers: readonly number[] }[] = []
    for (const [address, list] of Object.entries(blocks)) {
      const start = /^\d{1,5}$/.test(address) ? Number(address) : Number.NaN
      if (!(start <= 0xffff)) return `"${kind}" has a list whose key is no address`
      if (!Array.isArray(list)) return `"${kind}" has something other than a list`
      const numbers = list.map(item => (typeof item === 'boolean' ? Number(item) : (item as unknown)))
      if (!numbers.every(number => isWithin(number, most))) return `"${kind}" holds what is not 0 to ${most}`
      lists.push({ start, numbers })
    }
    read.set(kind, lists)
  }
  return read.size > 0 ? read : 'holds no registers'
}

const isMap = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

const isWithin = (number: unknown, most: number): number is number =>
  typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= most

function valueOf(point: Point, read: Registers): Value | undefined {
  const { register, address, size } = point
  const list = read
    .get(register)
    ?.find(({ start, numbers }) => address >= start && address + size <= start + numbers.length)
  if (list === undefined) return undefined
  const registers = list.numbers.slice(address - list.start, address - list.start + size)
  const [first = 0] = registers
  if (point.type === 'bool') return first !== 0
  const bytes = bytesOf(registers, point)
  if (point.type === 'bit') return ((bytes.getUint16(0) >> point.bit) & 1) === 1
  if (point.type === 'string') return textOf(bytes)
  const raw = numberOf(point.type, bytes)
  if (!Number.isFinite(raw) || raw === point.none) return undefined
  const value = rounded(raw * point.scale + point.offset, point)
  return Number.isFinite(value) ? value : undefined
}

/** As the specification has them: the highest bits first. */
function bytesOf(registers: readonly number[], { littleWords, littleBytes, type }: Point): DataView {
  const bytes = new DataView(new ArrayBuffer(registers.length * 2))
  // A text is no number: its words have one order.
  const words = littleWords && type !== 'string' ? registers.toReversed() : registers
  words.forEach((word, index) => bytes.setUint16(index * 2, word, littleBytes))
  return bytes
}

/** Trailing NULs and blanks are what is left of the registers. */
function textOf(bytes: DataView): string | undefined {
  const text = new TextDecoder().decode(bytes.buffer as ArrayBuffer)
  const end = text.indexOf('\u0000')
  const trimmed = (end === -1 ? text : text.slice(0, end)).trimEnd()
  return trimmed === '' ? undefined : trimmed
}

type NumberType = Exclude<Point['type'], 'bool' | 'bit' | 'string'>

/** Of 64 bits what a double holds: beyond 2^53 the last digits are rounded. */
function numberOf(type: NumberType, bytes: DataView): number {
  switch (type) {
    case 'int16':
      return bytes.getInt16(0)
    case 'uint16':
      return bytes.getUint16(0)
    case 'int32':
      return bytes.getInt32(0)
    case 'uint32':
      return bytes.getUint32(0)
    case 'int64':
      return Number(bytes.getBigInt64(0))
    case 'uint64':
      return Number(bytes.getBigUint64(0))
    case 'float32':
      return shortest(bytes.getFloat32(0))
    case 'float64':
      return bytes.getFloat64(0)
  }
}

/** 0.1 as a float of 32 bits is 0.10000000149011612: the shortest decimal that is that float is what was meant. */
function shortest(float: number): number {
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(float.toPrecision(digits))
    if (Math.fround(short) === float) return short
  }
  return float
}

/** 2305 × 0.1 is 230.50000000000003 to a double, and 230.5 to the meter. */
function rounded(value: number, { scale, offset }: Point): number {
  return scale === 1 && offset === 0 ? value : Number(value.toPrecision(15))
}
