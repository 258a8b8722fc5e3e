/**
 * Lists of texts and of JSON, and columns of texts that repeat, as they lie in a chunk (chunk.ts).
 *
 *   list     varint count (not of a column), byte form (0 JSON, 1 deflated JSON, 2 numbered), then
 *            JSON: text of an array · deflated: varint its length, bytes · numbered: text prefix, column of numbers
 *   names    list of those that differ, column of their places in it; the place 0 stands for none
 *
 * JSON cannot say -0 or NaN; they stand in it as texts that begin with NUL, and texts that begin so get one more. What
 * is read is as long as was announced and a list of what was expected, or it is damage: `RangeError`.
 */
import { deflateRawSync, inflateRawSync } from 'node:zlib'
import type { Json } from '../reading.ts'
import type { ByteReader, ByteWriter } from './bytes.ts'
import { readNumbers, writeNumbers } from './columns-numbers.ts'

const formJson = 0
const formDeflated = 1
const formNumbered = 2
/** A shorter text does not get shorter. */
const deflateBytesMin = 64
/** What is left of a text when zlib does its best. */
const deflateRatioMax = 1040
/** What many texts begin with is told once and read many times: it must not make much of little. */
const prefixMax = 256

/** Writes a list of `texts`; who reads it knows how many. */
export function writeTexts(out: ByteWriter, texts: readonly string[]): void {
  const prefix = texts.length > 1 ? commonPrefix(texts) : undefined
  if (prefix === undefined) return writeJson(out, texts)
  out.byte(formNumbered)
  out.bytes(Buffer.from(prefix, 'utf8'))
  writeNumbers(
    out,
    Float64Array.from(texts, text => Number(text.slice(prefix.length))),
  )
}

export function readTexts(read: ByteReader, count: number): string[] {
  const form = read.byte()
  if (form === formNumbered) {
    const prefix = read.text()
    if (prefix.length > prefixMax) throw new RangeError('a text too long')
    return Array.from(readNumbers(read, count), number => `${prefix}${number}`)
  }
  const texts = parse(read, form, count)
  if (!texts.every(text => typeof text === 'string')) throw new RangeError('not a list of texts')
  return texts
}

export function writeJson(out: ByteWriter, list: readonly Json[]): void {
  const json = Buffer.from(jsonOf(list), 'utf8')
  const deflated = json.length < deflateBytesMin ? json : deflateRawSync(json)
  if (deflated.length < json.length) {
    out.byte(formDeflated)
    out.varint(json.length)
    out.bytes(deflated)
  } else {
    out.byte(formJson)
    out.bytes(json)
  }
}

export const readJson = (read: ByteReader, count: number): Json[] => parse(read, read.byte(), count)

/** Writes a column of texts of which many are the same; `undefined` and none are different from ''. */
export function writeNames(out: ByteWriter, names: readonly (string | undefined)[]): void {
  const known = new Map<string, number>()
  const places = Float64Array.from(names, name => (name === undefined ? 0 : placeIn(known, name)))
  out.varint(known.size)
  if (known.size > 0) writeTexts(out, [...known.keys()])
  writeNumbers(out, places)
}

export function readNames(read: ByteReader, count: number): (string | undefined)[] {
  const size = read.varint()
  if (size > count) throw new RangeError('more names than readings')
  const known = size > 0 ? readTexts(read, size) : []
  return Array.from(readNumbers(read, count), place => (place === 0 ? undefined : at(known, place)))
}

/** From 1 on, in the order in which they came. */
export function placeIn<T>(known: Map<T, number>, one: T): number {
  const place = known.get(one)
  if (place !== undefined) return place
  known.set(one, known.size + 1)
  return known.size
}

/** What `placeIn` gave this place. */
export function at<T>(known: readonly T[], place: number): T {
  const one = known[place - 1]
  if (one === undefined) throw new RangeError('no such place in the list')
  return one
}

/** What all texts begin with if each of them is that and a whole number, written as JavaScript writes it. */
function commonPrefix(texts: readonly string[]): string | undefined {
  const prefix = (texts[0] as string).replace(/\d+$/, '')
  if (prefix.length > prefixMax || Buffer.from(prefix, 'utf8').toString('utf8') !== prefix) return undefined
  for (const text of texts) {
    const number = Number(text.slice(prefix.length))
    if (!Number.isSafeInteger(number) || number < 0 || `${prefix}${number}` !== text) return undefined
  }
  return prefix
}

function parse(read: ByteReader, form: number, count: number): Json[] {
  const json = form === formDeflated ? inflate(read) : read.bytes()
  if (form > formDeflated) throw new RangeError('unknown form of a list')
  let list: unknown
  try {
    const text = json.toString('utf8')
    list = text.includes('\\u0000') ? JSON.parse(text, fromJson) : JSON.parse(text)
  } catch (error) {
    throw new RangeError('not a list', { cause: error })
  }
  if (!Array.isArray(list) || list.length !== count) throw new RangeError('a list of another length')
  return list as Json[]
}

function inflate(read: ByteReader): Buffer {
  const length = read.varint()
  const deflated = read.bytes()
  if (length > deflated.length * deflateRatioMax) throw new RangeError('a list too long')
  try {
    const json = inflateRawSync(deflated, { maxOutputLength: length })
    if (json.length === length) return json
  } catch (error) {
    throw new RangeError('not a list', { cause: error })
  }
  throw new RangeError('a list of another length')
}

/** Two values read the same if their texts are the same. */
export const jsonOf = (value: Json): string => JSON.stringify(value, toJson)

function toJson(_: string, value: Json): Json {
  if (typeof value === 'string') return value.startsWith('\0') ? `\0${value}` : value
  if (typeof value === 'number' && (Object.is(value, -0) || !Number.isFinite(value))) {
    return Object.is(value, -0) ? '\0-0' : `\0${value}`
  }
  return value
}

function fromJson(_: string, value: Json): Json {
  if (typeof value !== 'string' || !value.startsWith('\0')) return value
  return value.startsWith('\0\0') ? value.slice(1) : Number(value.slice(1))
}
