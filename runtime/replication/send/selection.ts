/**
 * What of a table goes into a stream: `where` chooses entries, `columns` chooses parts of their values. Pure but for its
 * count: the same entries give the same frame, however often they are cut.
 *
 * Promises: an entry that is not chosen is passed over, like one that came from the far side, and the stream moves on. A
 * row that is not chosen any more is told as a deletion, so that the far side never keeps one that is out of date; that
 * its older version was sent nobody remembers, so the deletion is told of every row that could have been.
 */
import type { Json, Value } from '../../reading.ts'
import type { ReadingEntry, RecordEntry, Seq } from '../../store/types.ts'

export type SelectionOptions = {
  /** True if the entry is chosen, undefined if the expression has no answer for it. Never asked about a deletion of which only the key is known, unless `byKeyAlone`. */
  readonly where: ((entry: ReadingEntry | RecordEntry) => boolean | undefined) | undefined
  /** True if `where` looks at nothing but a row's key: then a row that is not chosen never was. */
  readonly byKeyAlone: boolean
  /** Keys of objects: of a row, or of a reading's value. What is no object goes whole. */
  readonly columns: readonly string[] | undefined
}

/** What is sent for an entry; undefined if nothing is. */
export type Choose = (entry: ReadingEntry | RecordEntry) => ReadingEntry | RecordEntry | undefined

export class Selection {
  readonly #options: SelectionOptions
  readonly #columns: ReadonlySet<string> | undefined
  #countedThrough = 0
  /** Entries that `where` had no answer for, such as rows without the field that it looks at: they are not chosen. */
  undecided = 0

  constructor(options: SelectionOptions) {
    this.#options = options
    this.#columns = options.columns === undefined ? undefined : new Set(options.columns)
  }

  readonly choose: Choose = entry => {
    const { where, byKeyAlone } = this.#options
    const isDeletion = entry.kind === 'record' && entry.value === undefined
    if (where === undefined || (isDeletion && !byKeyAlone)) return this.#withColumns(entry)
    const answer = where(entry)
    if (answer === undefined) this.#count(entry.seq)
    if (answer === true) return this.#withColumns(entry)
    if (entry.kind === 'reading' || byKeyAlone) return undefined
    return { ...entry, value: undefined }
  }

  /** Each entry once, though frames are cut again after a lost link. */
  #count(seq: Seq): void {
    if (seq <= this.#countedThrough) return
    this.#countedThrough = seq
    this.undecided++
  }

  #withColumns(entry: ReadingEntry | RecordEntry): ReadingEntry | RecordEntry {
    if (this.#columns === undefined || !isObject(entry.value)) return entry
    const kept = Object.entries(entry.value).filter(([name]) => this.#columns?.has(name))
    return { ...entry, value: Object.fromEntries(kept) }
  }
}

function isObject(value: Value | Json | undefined): value is { readonly [key: string]: Json } {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
