/**
 * The few values on which all others hang: format and epoch, tables, cursors, gaps. What is damaged is taken from the card
 * if that knows it, or from the keys of what hangs on it; and what nobody knows any more is given up with a word.
 */
import { ByteReader, ByteWriter } from '../bytes.ts'
import { encodeSeq, formatNumber, packedCursor } from '../database.ts'
import * as keys from '../keys.ts'
import { decodeJson, encodeJson } from '../records.ts'
import { type TableKind, asSeq } from '../types.ts'
import { lastKeyOf, rawKeys, rawPairs } from './raw.ts'
import { type KnownTable, type Recovery, reason } from './recovery.ts'

export type Facts = {
  readonly tables: readonly KnownTable[]
  readonly cursors: ReadonlyMap<string, number>
  /** Up to where each table is trimmed. */
  readonly trimmed: ReadonlyMap<number, number>
  readonly isFresh: boolean
  /** The card is of this database. */
  readonly isCardOurs: boolean
  /** In format 1, or on the way from there: nothing in it is packed as we know it. */
  readonly isOld: boolean
}

/** Reads all of it, and plans what must be written anew. Where nothing is damaged it plans nothing. */
export async function recoverFacts(recovery: Recovery, randomId: () => string): Promise<Facts> {
  const { level, card } = recovery
  const found = new Map<string, Buffer | undefined>()
  for await (const pair of rawPairs(level, keys.rangeOf('fact'))) {
    found.set(keys.nameOf(pair.key), pair.value)
    if (pair.value === undefined) recovery.remove(pair)
  }
  const told = found.get('format')
  const format = told && (decodeJson(told) as { number: number; epoch: string })
  const isFresh = !found.has('format') && (await isEmpty(recovery))
  const isCardOurs = card !== undefined && (format === undefined || format.epoch === card.epoch)
  let number = format?.number ?? formatNumber
  if (format === undefined && !(isFresh && card === undefined)) {
    number = card?.format ?? ((await hasAny(recovery, 'packedInFormat1')) ? 1 : formatNumber)
    recovery.put(keys.factKey('format'), encodeJson({ number, epoch: card?.epoch ?? randomId().slice(0, 8) }))
    if (card === undefined) recovery.note('the name of this life of the database is lost: streams begin anew')
  }
  recoverOtherFacts(recovery, found, isCardOurs)
  const tables = await recoverTables(recovery, isCardOurs)
  const trimmed = await recoverGaps(recovery)
  const cursors = await recoverCursors(recovery, isCardOurs, tables)
  return { tables, cursors, trimmed, isFresh, isCardOurs, isOld: number === 1 || found.has('migration') }
}

function recoverOtherFacts(
  recovery: Recovery,
  found: ReadonlyMap<string, Buffer | undefined>,
  isCardOurs: boolean,
): void {
  for (const [name, value] of found) {
    // The mark of what was cut off is known by its name alone.
    if (value === undefined && /^(packing\/.*|migration)$/.test(name)) recovery.put(keys.factKey(name), Buffer.alloc(0))
  }
  if (found.get('clock') !== undefined || !isCardOurs || recovery.card === undefined) return
  const out = new ByteWriter(8)
  out.double(recovery.card.floor)
  if (recovery.card.floor > 0) recovery.put(keys.factKey('clock'), out.take())
}

async function recoverTables(recovery: Recovery, isCardOurs: boolean): Promise<KnownTable[]> {
  const tables: KnownTable[] = []
  const damaged: string[] = []
  for await (const pair of rawPairs(recovery.level, keys.rangeOf('table'))) {
    const name = keys.nameOf(pair.key)
    if (pair.value !== undefined) tables.push({ name, ...(decodeJson(pair.value) as { id: number; kind: TableKind }) })
    else {
      damaged.push(name)
      recovery.remove(pair)
    }
  }
  const add = (table: KnownTable): void => {
    tables.push(table)
    recovery.put(keys.tableKey(table.name), encodeJson({ id: table.id, kind: table.kind }))
  }
  for (const [name, { id, kind }] of Object.entries(isCardOurs ? (recovery.card?.tables ?? {}) : {})) {
    if (!tables.some(table => table.name === name || table.id === id)) add({ id, name, kind })
  }
  const nameless = damaged.filter(name => !tables.some(table => table.name === name))
  if (nameless.length === 0) return tables
  const orphans = (await tableIds(recovery)).filter(id => !tables.some(table => table.id === id))
  const [name] = nameless
  const [id] = orphans
  if (name !== undefined && id !== undefined && nameless.length === 1 && orphans.length === 1) {
    add({ id, name, kind: (await hasAny(recovery, 'row', id)) ? 'records' : 'series' })
    return tables
  }
  for (const lost of nameless)
    recovery.note(`nobody knows any more what belongs to the table "${lost}": it begins anew`)
  // The numbers of what is left over must not be given again.
  for (const orphan of orphans) {
    const kind = (await hasAny(recovery, 'row', orphan)) ? 'records' : 'series'
    add({ id: orphan, name: `lost-${orphan}`, kind })
    recovery.note(`a table whose name is lost is now "lost-${orphan}"`)
  }
  return tables
}

async function recoverGaps(recovery: Recovery): Promise<Map<number, number>> {
  const trimmed = new Map<number, number>()
  for await (const pair of rawPairs(recovery.level, keys.rangeOf('gap'))) {
    const table = keys.tableOfKey(pair.key)
    const last = keys.logKeyLast(pair.key)
    if (pair.value === undefined) {
      recovery.remove(pair)
      recovery.put(pair.key, encodeJson({ first: (trimmed.get(table) ?? 0) + 1, reason }))
    }
    trimmed.set(table, last)
  }
  return trimmed
}

async function recoverCursors(
  recovery: Recovery,
  isCardOurs: boolean,
  tables: readonly KnownTable[],
): Promise<Map<string, number>> {
  const cursors = new Map<string, number>()
  const kept = isCardOurs ? (recovery.card?.cursors ?? {}) : {}
  for await (const pair of rawPairs(recovery.level, keys.rangeOf('cursor'))) {
    const name = keys.nameOf(pair.key)
    if (pair.value !== undefined) {
      cursors.set(name, new ByteReader(pair.value).varint())
      continue
    }
    recovery.remove(pair)
    if (!tables.some(table => packedCursor(table.name) === name) && kept[name] === undefined)
      recovery.note(`the position of "${name}" is lost: whoever reads by it begins anew`)
  }
  for (const [name, seq] of Object.entries(kept)) {
    const isGone =
      !cursors.has(name) &&
      (recovery.aside.some(({ key }) => key.equals(keys.cursorKey(name))) || mayBeGone(recovery, name))
    if (!isGone) continue
    cursors.set(name, seq)
    recovery.put(keys.cursorKey(name), encodeSeq(asSeq(seq)))
  }
  return cursors
}

const mayBeGone = (recovery: Recovery, cursor: string): boolean =>
  recovery.damages.length > 0 && recovery.mayHaveLost(keys.cursorKey(cursor), keys.cursorKey(cursor))

/** The numbers of all tables that have anything stored under them. */
async function tableIds({ level }: Recovery): Promise<number[]> {
  const ids = new Set<number>()
  for (const kind of keys.kindsOfTables) {
    const range = keys.rangeOf(kind)
    for (let from = range.gte; ; ) {
      let id: number | undefined
      for await (const key of rawKeys(level, { gte: from, lt: range.lt, limit: 1 })) id = keys.tableOfKey(key)
      if (id === undefined) break
      ids.add(id)
      from = keys.rangeOf(kind, id + 1).gte
    }
  }
  return [...ids]
}

const hasAny = async ({ level }: Recovery, kind: keys.KeyKind, table?: number): Promise<boolean> =>
  (await lastKeyOf(level, keys.rangeOf(kind, table))) !== undefined

async function isEmpty({ level }: Recovery): Promise<boolean> {
  for await (const _ of rawKeys(level, { gte: Buffer.of(0), lt: Buffer.of(0xff), limit: 1 })) return false
  return true
}
