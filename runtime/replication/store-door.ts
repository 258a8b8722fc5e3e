/** What replication needs of the store, and no more. `Store` fits; a simulator brings its own. */
import type { Json } from '../reading.ts'
import type { LostEnd } from '../store/lost-ends.ts'
import type { Change, Entry, Receipt, Row, Seq, TableSpec, Urgency } from '../store/types.ts'

export type StoreDoor = {
  readonly origin: string
  readonly epoch: string
  readonly tables: ReadonlyMap<string, TableSpec>
  commit(changes: readonly Change[], urgency?: Urgency): Promise<Receipt>
  head(table: string): Seq
  /** How often the end of the log was lost since the start, and where it ended then. */
  readonly lostEnds: { of(table: string): LostEnd }
  /** The first position that is still in the log. */
  firstSeq(table: string): Seq
  latest(table: string, key: string): Row | undefined
  /** The rows of a records table in the order of their keys. */
  rows(table: string, options: { readonly prefix?: string; readonly limit?: number }): AsyncIterable<Row>
  cursor(name: string): Seq | undefined
  state(owner: string, key: string): Json | undefined
  states(owner: string): ReadonlyMap<string, Json>
  read(table: string, after: Seq, limit: number): Promise<readonly Entry[]>
  waitPast(table: string, seq: Seq, signal: AbortSignal): Promise<void>
}
