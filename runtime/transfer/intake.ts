/**
 * Lines from a caller into a table.
 *
 * Promises: what it tells of is on disk [I1]; two commits' worth in memory, however much comes; a line that is wrong ends
 * it with its number, and what stood before that line is stored. It must never take a part of a line, nor wait with one
 * commit for a slow caller's next.
 */
import { HoldfastError } from '../errors.ts'
import type { Json, Reading } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { TableSpec } from '../store/types.ts'
import { type Item, type RowItem, fieldsIn, itemOf, objectOf } from './items.ts'
import { bytesPerCommit, itemsPerCommit, lineBytesMax } from './limits.ts'
import { type Line, LineSplitter } from './lines.ts'

/** `duplicates` were stored before: readings with the same time and the same id or value, rows with the same value. */
export type Taken = { readonly lines: number; readonly stored: number; readonly duplicates: number }

export type IntakeDoors = {
  readonly store: Store
  readonly now: () => number
  /** Names the boot while its clock is not trusted. */
  readonly boot: () => string | undefined
}

export async function takeLines(table: TableSpec, chunks: AsyncIterable<Buffer>, doors: IntakeDoors): Promise<Taken> {
  const splitter = new LineSplitter(lineBytesMax)
  const batches = new Batches(table, doors)
  for await (const chunk of chunks) for (const line of splitter.take(chunk)) await takeLine(line, table, batches)
  for (const line of splitter.end()) await takeLine(line, table, batches)
  return await batches.end()
}

/** All of a list in one commit, or none of it. */
export async function takeList(table: TableSpec, value: Json, doors: IntakeDoors): Promise<Taken> {
  const batches = new Batches(table, doors)
  const list = Array.isArray(value) ? (value as readonly Json[]) : [value]
  const items = list.map((entry, index) => {
    const isObject = typeof entry === 'object' && entry !== null && !Array.isArray(entry)
    const item = isObject
      ? itemOf(table.kind, table.name, fieldsIn(entry as Record<string, unknown>))
      : 'it is not an object'
    if (typeof item !== 'string') return item
    throw new HoldfastError('BAD_ARGUMENT', `item ${index + 1}: ${item}`, 'nothing was stored')
  })
  for (const item of items) batches.add(item, 0)
  return await batches.end()
}

async function takeLine(line: Line, table: TableSpec, batches: Batches): Promise<void> {
  if ('text' in line && /^\s*$/.test(line.text)) return batches.pass(line.line)
  const item = 'fault' in line ? line.fault : lineItem(line.text, table)
  if (typeof item === 'string') {
    await batches.end()
    throw badLine(line.line, item)
  }
  batches.pass(line.line)
  batches.add(item, 'text' in line ? line.text.length : 0)
  if (batches.isFull) await batches.turn()
}

function lineItem(text: string, table: TableSpec): Item | string {
  const object = objectOf(text)
  return typeof object === 'string' ? object : itemOf(table.kind, table.name, fieldsIn(object))
}

/** One batch that grows, and one that is being written. */
class Batches {
  readonly #table: TableSpec
  readonly #doors: IntakeDoors
  #items: Item[] = []
  #bytes = 0
  #line = 0
  #writing: Promise<void> = Promise.resolve()
  #durableLine = 0
  readonly #taken = { stored: 0, duplicates: 0 }

  constructor(table: TableSpec, doors: IntakeDoors) {
    this.#table = table
    this.#doors = doors
  }

  get isFull(): boolean {
    return this.#items.length >= itemsPerCommit || this.#bytes >= bytesPerCommit
  }

  /** A line was read. */
  pass(line: number): void {
    this.#line = line
  }

  add(item: Item, bytes: number): void {
    this.#items.push(item)
    this.#bytes += bytes
  }

  /** Begins to write what has gathered, once what was before is written. */
  async turn(): Promise<void> {
    await this.#writing
    const items = this.#items
    const line = this.#line
    this.#items = []
    this.#bytes = 0
    this.#writing = this.#write(items, line)
    // Whoever comes next awaits it and is told.
    this.#writing.catch(() => undefined)
  }

  async end(): Promise<Taken> {
    await this.turn()
    await this.#writing
    return { lines: this.#line, ...this.#taken }
  }

  async #write(items: readonly Item[], line: number): Promise<void> {
    try {
      const { stored, duplicates } = await commit(this.#table, items, this.#doors)
      this.#taken.stored += stored
      this.#taken.duplicates += duplicates
      this.#durableLine = line
    } catch (error) {
      if (!(error instanceof HoldfastError) || this.#durableLine === 0) throw error
      const message = `${error.message}; lines up to ${this.#durableLine} are stored`
      throw new HoldfastError(error.code, message, error.hint, error)
    }
  }
}

async function commit(
  { kind, name }: TableSpec,
  items: readonly Item[],
  doors: IntakeDoors,
): Promise<{ readonly stored: number; readonly duplicates: number }> {
  if (items.length === 0) return { stored: 0, duplicates: 0 }
  return kind === 'series'
    ? await commitReadings(name, items as readonly Reading[], doors)
    : await commitRows(name, items as readonly RowItem[], doors)
}

/** Each reading stands for itself: a transaction of thousands would not fit a frame to a far side. */
async function commitReadings(table: string, items: readonly Reading[], { store, now, boot }: IntakeDoors) {
  const full = items.find(({ device, metric, unit }) => !store.hasRoomFor(table, device, metric, unit))
  if (full !== undefined) {
    throw new HoldfastError(
      'TOO_MANY_SERIES',
      `the table "${table}" has no room for the series "${full.device}/${full.metric}"`,
      'look at the names of its devices and metrics',
    )
  }
  const arrivalMs = now()
  const named = boot()
  const readings = items.map(({ device, metric, value, deviceTimeMs, id, unit }) => {
    return { device, metric, value, deviceTimeMs, id, unit, arrivalMs, joined: false, boot: named }
  })
  return await store.commit([{ kind: 'append', table, readings }])
}

/** The same: rows put with one call would be one transaction. They share what is written to disk all the same. */
async function commitRows(table: string, items: readonly RowItem[], { store }: IntakeDoors) {
  const news = items.filter(({ key, value }) => !isSame(store.latest(table, key)?.value, value))
  await Promise.all(news.map(({ key, value }) => store.commit([{ kind: 'put', table, key, value }])))
  return { stored: news.length, duplicates: items.length - news.length }
}

const isSame = (one: Json | undefined, other: Json): boolean =>
  one !== undefined && JSON.stringify(one) === JSON.stringify(other)

const badLine = (line: number, reason: string): HoldfastError =>
  new HoldfastError(
    'BAD_ARGUMENT',
    `line ${line}: ${reason}`,
    line === 1
      ? 'nothing was stored'
      : `what stood before line ${line} is stored; the same lines again are stored once`,
  )
