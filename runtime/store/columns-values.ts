/**
 * The values of the readings of one series, as they lie in a chunk (chunk.ts).
 *
 *   column   byte form, then
 *     0 numbers    column of numbers
 *     1 switches   column of 0 and 1
 *     2 objects    varint count, list of keys; for each key the column of its values: all have these keys, in this order
 *     3 mixed      varint count, list of the values that differ and are no numbers; column of their places in it, 0 for
 *                  a number; varint count of the numbers, column of them
 *
 * So a text that repeats costs a bit or less, and a fix of a GPS what its numbers cost.
 */
import type { Json, Value } from '../reading.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readNumbers, writeNumbers } from './columns-numbers.ts'
import { at, jsonOf, placeIn, readJson, readTexts, writeJson, writeTexts } from './columns-texts.ts'

const formNumbers = 0
const formSwitches = 1
const formObjects = 2
const formMixed = 3
/** More than a fix or a vector has: what is read is bounded by it. */
const keysMax = 16

type JsonObject = { readonly [key: string]: Json }

/** Writes the values; there is at least one. Those in the columns of objects may be none themselves. */
export function writeValues(out: ByteWriter, values: readonly Json[], mayNest = true): void {
  const numbers = new Float64Array(values.length)
  let form = formOf(values[0] as Json)
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Json
    if (formOf(value) !== form) {
      form = formMixed
      break
    }
    numbers[index] = value as number
  }
  const keys = form === formObjects && mayNest ? keysOf(values as readonly JsonObject[]) : undefined
  if (form === formObjects && keys === undefined) form = formMixed
  out.byte(form)
  if (form === formMixed) writeMixed(out, values)
  else if (keys) writeObjects(out, keys, values as readonly JsonObject[])
  else writeNumbers(out, numbers)
}

export type Values =
  | { readonly kind: 'numbers'; readonly numbers: Float64Array }
  | { readonly kind: 'others'; readonly others: readonly Json[] }

/** Reads `count` values, which the caller has bounded. Throws `RangeError` if they are not whole. */
export function readValues(read: ByteReader, count: number, mayNest = true): Values {
  const form = read.byte()
  if (form === formNumbers) return { kind: 'numbers', numbers: readNumbers(read, count) }
  if (form === formSwitches) return { kind: 'others', others: Array.from(readNumbers(read, count), one => one !== 0) }
  if (form === formObjects && mayNest) return { kind: 'others', others: readObjects(read, count) }
  if (form === formMixed) return { kind: 'others', others: readMixed(read, count) }
  throw new RangeError('unknown form of values')
}

export const listOf = (values: Values): readonly Value[] =>
  values.kind === 'numbers' ? Array.from(values.numbers) : (values.others as readonly Value[])

function formOf(value: Json): number {
  if (typeof value === 'number') return formNumbers
  if (typeof value === 'boolean') return formSwitches
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? formObjects : formMixed
}

function writeMixed(out: ByteWriter, values: readonly Json[]): void {
  const known = new Map<Json, number>()
  const numbers: number[] = []
  const byJson = new Map<string, Json>()
  const places = new Float64Array(values.length)
  for (let index = 0; index < values.length; index++) {
    const value = values[index] as Json
    if (typeof value === 'number') numbers.push(value)
    else places[index] = placeIn(known, same(byJson, value))
  }
  out.varint(known.size)
  writeJson(out, [...known.keys()])
  writeNumbers(out, places)
  out.varint(numbers.length)
  if (numbers.length > 0) writeNumbers(out, Float64Array.from(numbers))
}

/** The first of all objects that read the same. */
function same(byJson: Map<string, Json>, value: Json): Json {
  if (typeof value !== 'object' || value === null) return value
  const json = jsonOf(value)
  const first = byJson.get(json)
  if (first !== undefined) return first
  byJson.set(json, value)
  return value
}

function readMixed(read: ByteReader, count: number): Json[] {
  const size = read.varint()
  if (size > count) throw new RangeError('more values than readings')
  const known = readJson(read, size)
  const places = readNumbers(read, count)
  const numberCount = read.varint()
  if (numberCount > count) throw new RangeError('more values than readings')
  const numbers = numberCount > 0 ? readNumbers(read, numberCount) : new Float64Array(0)
  let next = 0
  return Array.from(places, place => {
    if (place !== 0) return at(known, place)
    if (next === numberCount) throw new RangeError('fewer numbers than readings')
    return numbers[next++] as number
  })
}

/** The keys that all of them have, in one order, if that is worth columns of their own. */
function keysOf(values: readonly JsonObject[]): readonly string[] | undefined {
  const keys = Object.keys(values[0] as JsonObject)
  if (values.length < 2 || keys.length > keysMax) return undefined
  for (const value of values) {
    let index = 0
    for (const key of Object.keys(value)) if (keys[index++] !== key) return undefined
    if (index !== keys.length) return undefined
  }
  return keys
}

function writeObjects(out: ByteWriter, keys: readonly string[], values: readonly JsonObject[]): void {
  out.byte(keys.length)
  writeTexts(out, keys)
  for (const key of keys) {
    writeValues(
      out,
      values.map(value => value[key] as Json),
      false,
    )
  }
}

function readObjects(read: ByteReader, count: number): Json[] {
  const keyCount = read.byte()
  if (keyCount > keysMax) throw new RangeError('more keys than an object has')
  const keys = readTexts(read, keyCount)
  const columns = keys.map(() => listOf(readValues(read, count, false)) as readonly Json[])
  return Array.from({ length: count }, (_, index) =>
    Object.fromEntries(keys.map((key, column) => [key, columns[column]?.[index] as Json])),
  )
}
