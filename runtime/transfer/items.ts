/**
 * What one line means: a reading, or a row of a records table. Everything that comes from a file or a caller is checked as
 * if a device had sent it. A fault is the rest of a sentence that began with the number of the line. Pure.
 */
import { deviceTimeMs } from '../../adapters/device-time.ts'
import { idFault, nameFault, unitFault } from '../../adapters/names.ts'
import { asValue, valueFault } from '../../adapters/value.ts'
import { messageOf } from '../errors.ts'
import type { Json, Reading } from '../reading.ts'
import { checkRow } from '../store/checks.ts'
import type { TableKind } from '../store/types.ts'

export const readingFields = ['time', 'device', 'metric', 'value', 'unit', 'id'] as const
export const rowFields = ['key', 'value'] as const
export type FieldName = (typeof readingFields)[number] | (typeof rowFields)[number]

/** What stands in each field, as it was found; undefined where nothing does. */
export type Fields = (name: FieldName) => unknown

export type RowItem = { readonly key: string; readonly value: Json }
export type Item = Reading | RowItem

export const fieldsOf = (kind: TableKind): readonly FieldName[] => (kind === 'series' ? readingFields : rowFields)

export function itemOf(kind: TableKind, table: string, fields: Fields): Item | string {
  return kind === 'series' ? readingOf(fields) : rowOf(table, fields)
}

export function readingOf(fields: Fields): Reading | string {
  const timeMs = timeOf(fields('time'))
  if (typeof timeMs === 'string') return timeMs
  const device = nameOf('device', fields('device'))
  if (typeof device !== 'string') return device.fault
  const metric = nameOf('metric', fields('metric'))
  if (typeof metric !== 'string') return metric.fault
  const value = fields('value')
  const wrong = valueFault(value)
  if (wrong !== undefined) return `the value ${wrong}`
  const unit = fields('unit') ?? ''
  if (typeof unit !== 'string') return 'the unit is not a text'
  const wrongUnit = unit === '' ? undefined : unitFault(unit)
  if (wrongUnit !== undefined) return wrongUnit
  const given = fields('id') ?? ''
  const id = typeof given === 'number' ? String(given) : given
  if (typeof id !== 'string') return 'the id is neither a text nor a number'
  const wrongId = id === '' ? undefined : idFault(id)
  if (wrongId !== undefined) return wrongId
  return {
    device,
    metric,
    value: asValue(value),
    deviceTimeMs: timeMs,
    id: id === '' ? undefined : id,
    unit: unit === '' ? undefined : unit,
  }
}

function rowOf(table: string, fields: Fields): RowItem | string {
  const key = fields('key')
  if (key === undefined) return 'the key is missing'
  if (typeof key !== 'string') return 'the key is not a text'
  const value = fields('value') as Json | undefined
  if (value === undefined) return 'the value is missing'
  if (typeof value === 'number' && !Number.isFinite(value)) return 'the value is not a finite number'
  try {
    checkRow(table, key, value)
  } catch (error) {
    return messageOf(error)
  }
  return { key, value }
}

/** A time without one is refused: nobody could tell it from the readings of now. */
function timeOf(raw: unknown): number | string {
  if (raw === undefined || raw === null || raw === '') return 'the time is missing'
  const isNumber = typeof raw === 'string' && /^\s*\d+(\.\d*)?\s*$/.test(raw)
  return deviceTimeMs(isNumber ? Number(raw) : typeof raw === 'string' ? raw.trim() : raw, 'auto')
}

function nameOf(what: 'device' | 'metric', raw: unknown): string | { readonly fault: string } {
  if (raw === undefined || raw === null) return { fault: `the ${what} is missing` }
  const name = typeof raw === 'number' ? String(raw) : raw
  if (typeof name !== 'string') return { fault: `the ${what} is not a text` }
  const fault = nameFault(`the ${what}`, name)
  return fault === undefined ? name : { fault }
}

/** The object that a line of JSON is, or what is wrong with it. */
export function objectOf(text: string): Readonly<Record<string, unknown>> | string {
  let value: unknown
  try {
    value = JSON.parse(text)
  } catch {
    return 'it is not JSON'
  }
  const isObject = typeof value === 'object' && value !== null && !Array.isArray(value)
  return isObject ? (value as Record<string, unknown>) : 'it is not an object'
}

/** The fields of an object; `time_ms` stands for a time where there is no other, as in what `export` writes. */
export function fieldsIn(object: Readonly<Record<string, unknown>>): Fields {
  return name => {
    const value = own(object, name)
    return name === 'time' ? (value ?? own(object, 'time_ms')) : value
  }
}

const own = (object: Readonly<Record<string, unknown>>, name: string): unknown =>
  Object.hasOwn(object, name) ? object[name] : undefined
