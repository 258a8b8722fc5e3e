/**
 * Sparkplug B's protobuf: bytes become plain values by a table of the fields that matter here, as the specification
 * numbers them (Sparkplug 3.0, chapter 6). Unknown fields are skipped, as protobuf asks; whatever else does not fit is an
 * error, which `decodePayload` turns into a reason. Depth and the number of parts are bounded.
 */
import { BinaryReader, BinaryWriter, WireType } from '@bufbuild/protobuf/wire'
import { sparkplugPartsMax, valueDepthMax } from '../runtime/limits.ts'
import { printable } from './reason.ts'

/** The fields of `Payload`; what is undefined was not sent. */
export type Payload = {
  readonly timestamp?: bigint
  readonly metrics?: readonly Metric[]
  readonly seq?: bigint
}

export type Metric = {
  readonly name?: string
  readonly alias?: bigint
  readonly timestamp?: bigint
  readonly datatype?: number
  readonly isTransient?: boolean
  readonly isNull?: boolean
  readonly properties?: PropertySet
} & RawValue

/** One of them: which one the type of the metric says, and not all encoders agree on the size of a whole number. */
export type RawValue = {
  readonly int?: number
  readonly long?: bigint
  readonly float?: number
  readonly double?: number
  readonly boolean?: boolean
  readonly string?: string
  readonly bytes?: Uint8Array
  readonly dataset?: DataSet
  readonly template?: Template
}

export type PropertySet = { readonly keys?: readonly string[]; readonly values?: readonly PropertyValue[] }
export type PropertyValue = { readonly type?: number; readonly isNull?: boolean } & RawValue

export type DataSet = {
  readonly columns?: readonly string[]
  readonly types?: readonly number[]
  readonly rows?: readonly { readonly elements?: readonly RawValue[] }[]
}

export type Template = { readonly metrics?: readonly Metric[]; readonly isDefinition?: boolean }

type Scalar = 'uint32' | 'uint64' | 'float' | 'double' | 'bool' | 'string' | 'bytes'
type Field = { readonly name: string; readonly type: Scalar | Table; readonly isList?: true }
type Table = { readonly [number: number]: Field }

const wireTypes = {
  uint32: WireType.Varint,
  uint64: WireType.Varint,
  bool: WireType.Varint,
  float: WireType.Bit32,
  double: WireType.Bit64,
  string: WireType.LengthDelimited,
  bytes: WireType.LengthDelimited,
} as const satisfies Record<Scalar, WireType>

/** The `oneof value` of a message; its fields have the same order everywhere and begin at another number. */
function valuesFrom(first: number): Table {
  return {
    [first]: { name: 'int', type: 'uint32' },
    [first + 1]: { name: 'long', type: 'uint64' },
    [first + 2]: { name: 'float', type: 'float' },
    [first + 3]: { name: 'double', type: 'double' },
    [first + 4]: { name: 'boolean', type: 'bool' },
    [first + 5]: { name: 'string', type: 'string' },
  }
}

const propertySet: Table = {
  1: { name: 'keys', type: 'string', isList: true },
  2: {
    name: 'values',
    type: { 1: { name: 'type', type: 'uint32' }, 2: { name: 'isNull', type: 'bool' }, ...valuesFrom(3) },
    isList: true,
  },
}

const dataSet: Table = {
  2: { name: 'columns', type: 'string', isList: true },
  3: { name: 'types', type: 'uint32', isList: true },
  4: { name: 'rows', type: { 1: { name: 'elements', type: valuesFrom(1), isList: true } }, isList: true },
}

const metric: Record<number, Field> = {
  1: { name: 'name', type: 'string' },
  2: { name: 'alias', type: 'uint64' },
  3: { name: 'timestamp', type: 'uint64' },
  4: { name: 'datatype', type: 'uint32' },
  6: { name: 'isTransient', type: 'bool' },
  7: { name: 'isNull', type: 'bool' },
  9: { name: 'properties', type: propertySet },
  ...valuesFrom(10),
  16: { name: 'bytes', type: 'bytes' },
  17: { name: 'dataset', type: dataSet },
}
// A template is made of metrics, of which one may be a template.
metric[18] = {
  name: 'template',
  type: { 2: { name: 'metrics', type: metric, isList: true }, 5: { name: 'isDefinition', type: 'bool' } },
}

const payload: Table = {
  1: { name: 'timestamp', type: 'uint64' },
  2: { name: 'metrics', type: metric, isList: true },
  3: { name: 'seq', type: 'uint64' },
}

export type DecodedPayload =
  | { readonly ok: true; readonly payload: Payload }
  | { readonly ok: false; readonly reason: string }

export function decodePayload(bytes: Uint8Array): DecodedPayload {
  try {
    const reader = new BinaryReader(bytes)
    return { ok: true, payload: readTable(payload, reader, reader.len, { left: sparkplugPartsMax }, 1) }
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    return { ok: false, reason: `not a Sparkplug B payload: ${printable(why)}` }
  }
}

type Parts = { left: number }

function readTable(table: Table, reader: BinaryReader, end: number, parts: Parts, depth: number): object {
  // Templates and the tables around them: two levels of tables for each of nesting.
  if (depth > 2 * valueDepthMax) throw new Error(`nested more than ${valueDepthMax} deep`)
  const read: Record<string, unknown> = {}
  while (reader.pos < end) {
    const [number, wire] = reader.tag()
    const field = table[number]
    if (field === undefined) {
      reader.skip(wire, number)
      continue
    }
    if (parts.left-- <= 0) throw new Error(`more than ${sparkplugPartsMax} parts`)
    readField(field, reader, wire, end, read, parts, depth)
  }
  if (reader.pos !== end) throw new Error('a part is longer than what holds it')
  return read
}

function readField(
  { name, type, isList }: Field,
  reader: BinaryReader,
  wire: WireType,
  end: number,
  read: Record<string, unknown>,
  parts: Parts,
  depth: number,
): void {
  const isPacked = isList === true && type === 'uint32' && wire === WireType.LengthDelimited
  const expected = typeof type === 'string' ? wireTypes[type] : WireType.LengthDelimited
  if (wire !== expected && !isPacked) throw new Error(`"${name}" has another wire type`)
  const list = isList === true ? ((read[name] as unknown[] | undefined) ?? []) : undefined
  if (list !== undefined) read[name] = list
  if (isPacked) {
    for (const packedEnd = endOf(reader, end); reader.pos < packedEnd; ) list?.push(reader.uint32())
    return
  }
  const value =
    typeof type === 'string' ? readScalar(type, reader) : readTable(type, reader, endOf(reader, end), parts, depth + 1)
  if (list === undefined) read[name] = value
  else list.push(value)
}

function endOf(reader: BinaryReader, outer: number): number {
  const length = reader.uint32()
  const end = reader.pos + length
  if (end > outer) throw new Error('a part is longer than what holds it')
  return end
}

function readScalar(type: Scalar, reader: BinaryReader): unknown {
  switch (type) {
    case 'uint32':
      return reader.uint32()
    case 'uint64':
      return BigInt(reader.uint64())
    case 'float':
      return reader.float()
    case 'double':
      return reader.double()
    case 'bool':
      return reader.bool()
    case 'string':
      return reader.string(true)
    case 'bytes':
      return reader.bytes()
    default:
      return type satisfies never
  }
}

const booleanType = 11

/** What asks an edge node for its births: NCMD "Node Control/Rebirth", by its name and without a sequence number. */
export function rebirthRequest(timestamp: bigint): Uint8Array {
  const writer = new BinaryWriter()
  writer.tag(1, WireType.Varint).uint64(timestamp)
  writer.tag(2, WireType.LengthDelimited).fork()
  writer.tag(1, WireType.LengthDelimited).string('Node Control/Rebirth')
  writer.tag(3, WireType.Varint).uint64(timestamp)
  writer.tag(4, WireType.Varint).uint32(booleanType)
  writer.tag(14, WireType.Varint).bool(true)
  writer.join()
  return writer.finish()
}
