/** Marks that go with readings. Pure. */
import type { Chunk } from './chunk.ts'
import { idKey } from './keys.ts'
import type { Table } from './table.ts'
import type { ReadingEntry } from './types.ts'

/** The mark by which a reading without a time of its own is known. */
export const idKeyOf = (table: Table, { id, deviceTimeMs, series }: ReadingEntry): Buffer[] =>
  id === undefined || deviceTimeMs !== undefined ? [] : [idKey(table.id, series.id, id)]

/** Those of a whole chunk. */
export const idKeysOf = (table: Table, chunk: Chunk): Buffer[] =>
  chunk.hasIds ? chunk.entries().flatMap(entry => idKeyOf(table, entry)) : []
