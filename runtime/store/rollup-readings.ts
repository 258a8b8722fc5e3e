/**
 * What a rollup takes in: packed readings of one series between two positions, sorted by time, an hour at once. Those of
 * a boot whose true time nobody knows yet come apart, under the time that was assumed. Reads only.
 */
import type { Chunk } from './chunk.ts'
import { chunksOf } from './chunks.ts'
import { type ColumnBlock, inOrder } from './columns.ts'
import { shifted } from './corrections.ts'
import type { Database } from './database.ts'
import { type Piece, pick, pieceOfChunk, pieceOfEntries } from './piece.ts'
import type { KnownSeries, Table } from './table.ts'
import type { ReadingEntry, Seq } from './types.ts'

export type Taken = Pick<ColumnBlock, 'times' | 'values'> & {
  /** The boot whose time is open; undefined for readings whose time is known. */
  readonly boot: string | undefined
  readonly first: Seq
  readonly last: Seq
}

/** The readings after one position up to another that were filed under these hours, which ascend. */
export async function* takeReadings(
  database: Database,
  table: Table,
  series: KnownSeries,
  hours: Iterable<number>,
  [after, through]: readonly [after: Seq, through: Seq],
): AsyncGenerator<Taken> {
  for (const hour of hours) {
    const byBoot = new Map<string | undefined, Piece[]>()
    for await (const { chunk } of chunksOf(database, table, hour, [series.id])) {
      if (chunk.lastSeq <= after || chunk.firstSeq > through) continue
      const isWhole = chunk.firstSeq > after && chunk.lastSeq <= through
      for (const [boot, piece] of piecesOf(chunk, database)) {
        const within = isWhole ? piece : between(piece, after, through)
        if (within.times.length > 0) byBoot.set(boot, [...(byBoot.get(boot) ?? []), within])
      }
    }
    for (const [boot, pieces] of byBoot) {
      const seqs = pieces.map(piece => piece.seqs())
      const first = Math.min(...seqs.map(of => of[0] as number)) as Seq
      const last = Math.max(...seqs.map(of => of.at(-1) as number)) as Seq
      yield { boot, first, last, ...inOrder(pieces) }
    }
  }
}

/** The readings of one boot alone, with its true time, that were filed under these hours. */
export async function* takeBoot(
  database: Database,
  table: Table,
  series: KnownSeries,
  hours: Iterable<number>,
  { boot, first, last }: { readonly boot: string; readonly first: Seq; readonly last: Seq },
): AsyncGenerator<Pick<ColumnBlock, 'times' | 'values'>> {
  const shift = database.corrections.of(series.origin).get(boot)
  if (shift === undefined) return
  for (const hour of hours) {
    const moved: ReadingEntry[] = []
    for await (const { chunk } of chunksOf(database, table, hour, [series.id])) {
      if (chunk.lastSeq < first || chunk.firstSeq > last || chunk.boots()?.includes(boot) !== true) continue
      for (const entry of chunk.entries()) {
        if (entry.boot !== boot || entry.deviceTimeMs !== undefined) continue
        if (entry.seq >= first && entry.seq <= last) moved.push(shifted(entry, shift))
      }
    }
    if (moved.length > 0) yield inOrder([pieceOfEntries(series, moved)])
  }
}

function* piecesOf(chunk: Chunk, { corrections }: Database): Generator<[boot: string | undefined, Piece]> {
  const { series } = chunk
  if (chunk.boots()?.some(boot => boot !== undefined) !== true) {
    yield [undefined, pieceOfChunk(chunk)]
    return
  }
  const shifts = corrections.of(series.origin)
  const byBoot = new Map<string | undefined, ReadingEntry[]>()
  for (const entry of chunk.entries()) {
    const shift = entry.boot === undefined ? undefined : shifts.get(entry.boot)
    // The device's own time is right whatever our clock was.
    const boot = shift === undefined && entry.deviceTimeMs === undefined ? entry.boot : undefined
    const entries = byBoot.get(boot)
    const told = shift === undefined ? entry : shifted(entry, shift)
    if (entries) entries.push(told)
    else byBoot.set(boot, [told])
  }
  for (const [boot, entries] of byBoot) yield [boot, pieceOfEntries(series, entries)]
}

function between(piece: Piece, after: Seq, through: Seq): Piece {
  const places: number[] = []
  for (const [place, seq] of piece.seqs().entries()) if (seq > after && seq <= through) places.push(place)
  return pick(piece, places)
}
