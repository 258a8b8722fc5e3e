/**
 * The trimmed part of a records log, as its readers still see it: the rows and tombstones that stand, each at the
 * position where it was written, and between them gaps of nothing (`count` 0), because what was there has been
 * superseded by a row that comes later. So nobody who comes too late loses a row, and positions, frames and an
 * interrupted reading are what they are anywhere else in the log. A transaction that was trimmed is not whole any more,
 * and neither is `via` known: a row may go back to where it came from, which is harmless, because stamps decide.
 *
 * Rows are kept by key, so finding them by position takes a walk over all of them. What one walk finds is kept, bounded;
 * a position that is trimmed never gains a row, it only loses it, so an old index only names too many.
 */
import { type Database, gapEntry } from './database.ts'
import { rowKey } from './keys.ts'
import { decodeRow } from './records.ts'
import { placeAfter } from './search.ts'
import type { Table } from './table.ts'
import { type Entry, type Seq, asSeq } from './types.ts'

/** Rows of one index: some megabytes with keys of ordinary length. A larger table takes more walks. */
const indexRowsMax = 20_000
/** Readers that are at different places of different tables. */
const indexesMax = 4

type Place = { readonly seq: Seq; readonly key: string }

/** Every row that stands at a position after `after` and up to `through`, in order. */
type Index = { readonly table: Table; readonly after: Seq; readonly through: Seq; readonly places: readonly Place[] }

export class StandingRows {
  readonly #database: Database
  #indexes: Index[] = []
  /** One walk at a time: the second reader most likely needs what the first one's finds. */
  #walk: Promise<unknown> = Promise.resolve()

  constructor(database: Database) {
    this.#database = database
  }

  /** About `limit` rows of the trimmed part after `after`. Never empty if `after` is before its end. */
  async read(table: Table, after: Seq, limit: number): Promise<Entry[]> {
    const { through, places } = await this.#indexFor(table, after)
    const found: Entry[] = []
    let position = after
    let rows = 0
    for (const { seq, key } of places.slice(
      placeAfter(0, places.length, place => (places[place] as Place).seq <= after),
    )) {
      if (rows >= limit) return found
      const row = this.#rowAt(table, key, seq)
      if (row === undefined) continue
      if (seq > position + 1) found.push(superseded(asSeq(position + 1), asSeq(seq - 1)))
      found.push({ kind: 'record', seq, via: '', joined: false, key, ...row })
      position = seq
      rows++
    }
    if (position < through) found.push(superseded(asSeq(position + 1), through))
    return found
  }

  #rowAt(table: Table, key: string, seq: Seq) {
    const bytes = this.#database.get(rowKey(table.id, key))
    const row = bytes && decodeRow(bytes)
    return row?.seq === seq ? { stamp: row.stamp, origin: row.origin, value: row.value } : undefined
  }

  #indexFor(table: Table, after: Seq): Promise<Index> {
    const turn = this.#walk.then(async () => {
      const known = this.#indexes.find(index => index.table === table && index.after <= after && after < index.through)
      const index = known ?? (await this.#build(table, after))
      this.#indexes = [index, ...this.#indexes.filter(other => other !== index)].slice(0, indexesMax)
      return index
    })
    this.#walk = turn.catch(() => undefined)
    return turn
  }

  async #build(table: Table, after: Seq): Promise<Index> {
    const trimmed = asSeq(table.first - 1)
    let places: Place[] = []
    let through = trimmed
    for await (const place of this.#database.scanPlaces(table)) {
      if (place.seq <= after || place.seq > through) continue
      places.push(place)
      if (places.length < 2 * indexRowsMax) continue
      places = inOrder(places).slice(0, indexRowsMax)
      through = places.at(-1)?.seq ?? through
    }
    places = inOrder(places)
    if (places.length > indexRowsMax) {
      places = places.slice(0, indexRowsMax)
      through = places.at(-1)?.seq ?? through
    }
    return { table, after, through, places }
  }
}

const inOrder = (places: readonly Place[]): Place[] => places.toSorted((a, b) => a.seq - b.seq)

/** Positions where nothing is lost: what was there has been written again, later. */
const superseded = (first: Seq, last: Seq): Entry => ({ ...gapEntry(first, last, 'superseded'), count: 0 })
