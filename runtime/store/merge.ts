/**
 * Joining the chunks of hours that are over: each packing has left one of a few minutes; joined they take less room and are
 * read at once. It follows the packed ranges by a cursor of its own, so an hour into which late readings were packed is
 * joined again.
 *
 * Nobody sees a difference, whenever it stops: a step is one batch, and the cursor moves when all of a range is joined. A
 * step that was planned before a trim is passed over, and planned again.
 */
import { stampMs } from '../stamp.ts'
import { chunkReadingsMax, encodeChunk } from './chunk.ts'
import { type StoredChunk, chunksOf, rangesAfter } from './chunks.ts'
import { type Database, encodeSeq } from './database.ts'
import { hourOf } from './repeats.ts'
import { cursorKey } from './keys.ts'
import type { Put } from './put.ts'
import { sealBytes } from './seal.ts'
import type { Table } from './table.ts'
import { type ChunksChange, type Seq, seqZero } from './types.ts'

/** Read and written in one step: some milliseconds of a small board, unless one series alone has more in an hour. */
const stepReadings = 8_192
/** A joined chunk is not larger: it is read as a whole. */
const chunkBytesMax = 1 << 20
/** Hours of series that one run remembers [I6]. */
const placesMax = 20_000

type Place = { readonly hour: number; readonly series: number }
type Run = { readonly table: Table; readonly through: Seq; places: readonly Place[] }

export const mergeCursor = (table: string): string => `merge/${table}`

export class Merger {
  readonly #database: Database
  readonly #runs = new Map<Table, Run>()

  constructor(database: Database) {
    this.#database = database
  }

  /** Step after step until no hour of a table waits, or it is not wanted any longer. */
  async run(name: string, isWanted: () => boolean, commit: (change: ChunksChange) => Promise<unknown>): Promise<void> {
    const table = this.#database.table(name)
    while (isWanted()) {
      const change = await this.#plan(table)
      if (change === undefined) return
      await commit(change)
    }
  }

  async #plan(table: Table): Promise<ChunksChange | undefined> {
    const run = this.#runs.get(table) ?? (await this.#begin(table))
    if (run === undefined) return undefined
    this.#runs.set(table, run)
    return this.#step(run)
  }

  /** What was packed since the last time, up to the hour that is not over. */
  async #begin(table: Table): Promise<Run | undefined> {
    const after = this.#database.cursors.get(mergeCursor(table.name)) ?? seqZero
    const waiting = []
    let count = 0
    for await (const { range } of rangesAfter(this.#database, table, after)) {
      waiting.push(range)
      for (const ids of range.hours.values()) count += ids.length
      if (count >= placesMax) break
    }
    const hourNow = hourOf(stampMs(waiting.at(-1)?.newest ?? (0 as never)))
    const over = waiting.filter(({ newest }) => hourOf(stampMs(newest)) < hourNow)
    const last = over.at(-1)
    if (last === undefined) return undefined
    const hours = new Map<number, Set<number>>()
    for (const range of over) {
      for (const [hour, ids] of range.hours) {
        const known = hours.get(hour) ?? new Set()
        hours.set(hour, known)
        for (const id of ids) known.add(id)
      }
    }
    const places = [...hours].flatMap(([hour, ids]) => [...ids].map(series => ({ hour, series })))
    return { table, through: last.last, places }
  }

  async #step(run: Run): Promise<ChunksChange> {
    const { table, places } = run
    const { revision } = table
    const puts: Put[] = []
    let [packed, readings, at] = [0, 0, 0]
    while (at < places.length && readings < stepReadings) {
      const { hour, series } = places[at++] as Place
      for (const chunks of await this.#alike(table, hour, series)) {
        const joined = join(chunks)
        puts.push(...joined.puts)
        packed += joined.grown
        readings += chunks.reduce((sum, { chunk }) => sum + chunk.count, 0)
      }
    }
    const rest = places.slice(at)
    if (rest.length === 0) puts.push({ key: cursorKey(mergeCursor(table.name)), value: encodeSeq(run.through) })
    const done = (): void => {
      run.places = rest
      if (rest.length > 0) return
      this.#database.cursors.set(mergeCursor(table.name), run.through)
      this.#runs.delete(table)
    }
    return { kind: 'chunks', table: table.name, puts, revision, grown: { log: 0, packed, rows: 0 }, done }
  }

  /** Runs of chunks of one place that are better one. */
  async #alike(table: Table, hour: number, series: number): Promise<readonly StoredChunk[][]> {
    const runs: StoredChunk[][] = []
    let [count, bytes] = [0, 0]
    for await (const stored of chunksOf(this.#database, table, hour, [series])) {
      // What is being packed now is not packed yet.
      if (stored.chunk.firstSeq > table.packed) break
      const last = runs.at(-1)
      const isRoom = count + stored.chunk.count <= chunkReadingsMax && bytes + stored.bytes <= chunkBytesMax
      if (last !== undefined && isRoom) last.push(stored)
      else {
        runs.push([stored])
        count = 0
        bytes = 0
      }
      count += stored.chunk.count
      bytes += stored.bytes
    }
    return runs.filter(({ length }) => length > 1)
  }
}

/** One chunk instead of several, under the key of the first; and by how much they grow smaller. */
function join(chunks: readonly StoredChunk[]): { puts: Put[]; grown: number } {
  const { key } = chunks[0] as StoredChunk
  const value = encodeChunk(chunks.flatMap(({ chunk }) => chunk.entries()))
  const before = chunks.reduce((sum, { bytes }) => sum + bytes, 0)
  const gone = chunks.slice(1).map(other => ({ key: other.key, value: undefined }))
  return { puts: [{ key, value }, ...gone], grown: key.length + value.length + sealBytes - before }
}
