/**
 * Sparkplug B payloads for tests, written as the specification's examples are: JSON whose types are names. Fields and their
 * numbers are those of the specification's protobuf, written down here once more, apart from what reads them.
 */
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire'

export type SparkplugPayload = {
  readonly timestamp?: number
  readonly seq?: number
  readonly metrics?: readonly SparkplugMetric[]
}

export type SparkplugMetric = {
  readonly name?: string
  readonly alias?: number
  readonly timestamp?: number
  readonly dataType?: string
  /** How the value is written; without it the type says that, as in a birth. */
  readonly as?: string
  readonly value?: unknown
  readonly isNull?: boolean
  readonly isHistorical?: boolean
  readonly isTransient?: boolean
  readonly properties?: Readonly<Record<string, number | string>>
}

const dataTypes = (
  'Unknown Int8 Int16 Int32 Int64 UInt8 UInt16 UInt32 UInt64 Float Double Boolean String DateTime Text UUID DataSet Bytes ' +
  'File Template PropertySet PropertySetList Int8Array Int16Array Int32Array Int64Array UInt8Array UInt16Array UInt32Array ' +
  'UInt64Array FloatArray DoubleArray BooleanArray StringArray DateTimeArray'
).split(' ')

export function encodePayload({ timestamp, metrics = [], seq }: SparkplugPayload): Uint8Array {
  const writer = new BinaryWriter()
  if (timestamp !== undefined) writer.tag(1, WireType.Varint).uint64(timestamp)
  for (const metric of metrics) writePart(writer, 2, () => writeMetric(writer, metric))
  if (seq !== undefined) writer.tag(3, WireType.Varint).uint64(seq)
  return writer.finish()
}

function writePart(writer: BinaryWriter, field: number, write: () => void): void {
  writer.tag(field, WireType.LengthDelimited).fork()
  write()
  writer.join()
}

function writeMetric(writer: BinaryWriter, metric: SparkplugMetric): void {
  const { name, alias, timestamp, dataType, value, isNull, isHistorical, isTransient, properties } = metric
  if (name !== undefined) writer.tag(1, WireType.LengthDelimited).string(name)
  if (alias !== undefined) writer.tag(2, WireType.Varint).uint64(alias)
  if (timestamp !== undefined) writer.tag(3, WireType.Varint).uint64(timestamp)
  if (dataType !== undefined) writer.tag(4, WireType.Varint).uint32(dataTypes.indexOf(dataType))
  if (isHistorical !== undefined) writer.tag(5, WireType.Varint).bool(isHistorical)
  if (isTransient !== undefined) writer.tag(6, WireType.Varint).bool(isTransient)
  if (isNull !== undefined) writer.tag(7, WireType.Varint).bool(isNull)
  if (properties !== undefined) writePart(writer, 9, () => writeProperties(writer, properties))
  if (value !== undefined) writeValue(writer, 10, metric.as ?? dataType ?? '', value)
}

function writeProperties(writer: BinaryWriter, properties: Readonly<Record<string, number | string>>): void {
  for (const key of Object.keys(properties)) writer.tag(1, WireType.LengthDelimited).string(key)
  for (const value of Object.values(properties)) {
    const type = typeof value === 'number' ? 'Int32' : 'String'
    writePart(writer, 2, () => {
      writer.tag(1, WireType.Varint).uint32(dataTypes.indexOf(type))
      writeValue(writer, 3, type, value)
    })
  }
}

/** `first` is the number of `int_value` in the `oneof`; the others follow it. */
function writeValue(writer: BinaryWriter, first: number, type: string, value: unknown): void {
  if (/^U?Int(8|16|32)$/.test(type)) writer.tag(first, WireType.Varint).uint32(Number(value) >>> 0)
  else if (/^(U?Int64|DateTime)$/.test(type)) {
    writer.tag(first + 1, WireType.Varint).uint64(BigInt.asUintN(64, BigInt(value as number | string)).toString())
  } else if (type === 'Float') writer.tag(first + 2, WireType.Bit32).float(Number(value))
  else if (type === 'Double') writer.tag(first + 3, WireType.Bit64).double(Number(value))
  else if (type === 'Boolean') writer.tag(first + 4, WireType.Varint).bool(value === true)
  else if (/^(String|Text|UUID)$/.test(type)) writer.tag(first + 5, WireType.LengthDelimited).string(String(value))
  else if (type === 'DataSet') writePart(writer, 17, () => writeDataSet(writer, value as DataSetValue))
  else if (type === 'Template') writePart(writer, 18, () => writeTemplate(writer, value as TemplateValue))
  else writer.tag(16, WireType.LengthDelimited).bytes(Buffer.from(String(value), 'hex'))
}

type DataSetValue = {
  readonly columns: readonly string[]
  readonly types: readonly string[]
  readonly rows: readonly (readonly unknown[])[]
}

function writeDataSet(writer: BinaryWriter, { columns, types, rows }: DataSetValue): void {
  writer.tag(1, WireType.Varint).uint64(columns.length)
  for (const column of columns) writer.tag(2, WireType.LengthDelimited).string(column)
  for (const type of types) writer.tag(3, WireType.Varint).uint32(dataTypes.indexOf(type))
  for (const row of rows) {
    writePart(writer, 4, () => {
      for (const [index, cell] of row.entries()) {
        writePart(writer, 1, () => writeValue(writer, 1, types[index] ?? '', cell))
      }
    })
  }
}

type TemplateValue = {
  readonly metrics: readonly SparkplugMetric[]
  readonly templateRef?: string
  readonly isDefinition: boolean
}

function writeTemplate(writer: BinaryWriter, { metrics, templateRef, isDefinition }: TemplateValue): void {
  for (const metric of metrics) writePart(writer, 2, () => writeMetric(writer, metric))
  if (templateRef !== undefined) writer.tag(4, WireType.LengthDelimited).string(templateRef)
  writer.tag(5, WireType.Varint).bool(isDefinition)
}
