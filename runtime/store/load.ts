/** Reading a database: everything but readings, records and old log blocks comes into memory. */
import { randomUUID } from 'node:crypto'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Stamp } from '../stamp.ts'
import { ByteReader } from './bytes.ts'
import { clockTable } from './corrections.ts'
import { Database, formatNumber, gapEntry, packedCursor } from './database.ts'
import type { Level } from './home.ts'
import * as keys from './keys.ts'
import { clearBlocks, readBlocks } from './log-blocks.ts'
import { packingFact } from './pack.ts'
import type { Put } from './put.ts'
import { decodeJson, encodeJson } from './records.ts'
import { decodeSeries } from './series-value.ts'
import { countTable } from './sizes.ts'
import { Table } from './table.ts'
import { type TableSpec, asSeq, seqZero } from './types.ts'

export async function loadDatabase(
  level: Level,
  specs: readonly TableSpec[],
  log: Log,
  randomId: () => string = randomUUID,
  isRepaired = false,
): Promise<Database> {
  const database = new Database(level, log)
  const fresh = loadFacts(database, randomId)
  fresh.push(...(await loadTables(database, specs)))
  for await (const [key, value] of database.scan(keys.rangeOf('cursor')))
    database.cursors.set(keys.nameOf(key), asSeq(new ByteReader(value).varint()))
  for await (const [key, value] of database.scan(keys.rangeOf('state'))) {
    const [owner, name] = splitOnce(keys.nameOf(key))
    database.stateOf(owner).set(name, decodeJson(value))
  }
  for (const table of database.tables.values()) {
    await loadTable(database, table)
    await countTable(database, table, isRepaired)
    if (table.kind === 'series') fresh.push(...(await loadUnpacked(database, table)))
  }
  await loadCorrections(database)
  if (fresh.length > 0) await database.write(fresh)
  return database
}

function loadFacts(database: Database, randomId: () => string): Put[] {
  const format = database.get(keys.factKey('format'))
  const clock = database.get(keys.factKey('clock'))
  if (clock) database.floor = new ByteReader(clock).double() as Stamp
  if (format) {
    const { number, epoch } = decodeJson(format) as { number: number; epoch: string }
    if (number > formatNumber) {
      throw new HoldfastError(
        'STORE_NEWER',
        `the store was written by a newer Holdfast (format ${number}; this one knows ${formatNumber})`,
        'install the newer version again',
      )
    }
    database.epoch = epoch
    return []
  }
  database.epoch = randomId().slice(0, 8)
  return [{ key: keys.factKey('format'), value: encodeJson({ number: formatNumber, epoch: database.epoch }) }]
}

async function loadTables(database: Database, specs: readonly TableSpec[]): Promise<Put[]> {
  let nextId = 1
  for await (const [key, value] of database.scan(keys.rangeOf('table'))) {
    const { id, kind } = decodeJson(value) as { id: number; kind: TableSpec['kind'] }
    database.tables.set(keys.nameOf(key), new Table(id, keys.nameOf(key), kind))
    nextId = Math.max(nextId, id + 1)
  }
  const fresh: Put[] = []
  for (const { name, kind } of specs) {
    const known = database.tables.get(name)
    if (known && known.kind !== kind) {
      throw new HoldfastError(
        'TABLE_KIND',
        `the table "${name}" is stored as ${known.kind}, but the config says ${kind}`,
        'give the new table another name',
      )
    }
    if (known) continue
    const table = new Table(nextId++, name, kind)
    database.tables.set(name, table)
    fresh.push({ key: keys.tableKey(name), value: encodeJson({ id: table.id, kind }) })
  }
  return fresh
}

async function loadTable(database: Database, table: Table): Promise<void> {
  for await (const [key, value] of database.scan(keys.rangeOf('series', table.id)))
    table.series.insert(decodeSeries(keys.seriesKeyId(key), table.name, value))
  table.series.reserveIds(await lastSeriesId(database, table))
  for await (const [key, value] of database.scan(keys.rangeOf('gap', table.id))) {
    const { first, reason } = decodeJson(value) as { first: number; reason: string }
    table.gaps.push(gapEntry(asSeq(first), keys.logKeyLast(key), reason))
  }
  const trimmed = table.gaps.at(-1)?.seq ?? seqZero
  table.first = asSeq(trimmed + 1)
  table.packed = database.cursors.get(packedCursor(table.name)) ?? seqZero
  const newest = await lastKey(database, keys.rangeOf('log', table.id))
  table.head = asSeq(Math.max(newest ? keys.logKeyLast(newest) : 0, trimmed, table.packed))
  table.reserved = table.head
  const gone = asSeq(Math.max(trimmed, table.packed))
  if (gone > 0) await clearBlocks(database, table, gone)
}

/** From the keys alone: the number of a series whose value is damaged must not be given again. */
async function lastSeriesId(database: Database, table: Table): Promise<number> {
  const last = await lastKey(database, keys.rangeOf('series', table.id))
  return last ? keys.seriesKeyId(last) : 0
}

/** Readings that wait to be packed; and what is left to remove of a packing that was cut off. */
async function loadUnpacked(database: Database, table: Table): Promise<Put[]> {
  let after = asSeq(Math.max(table.packed, table.first - 1))
  while (after < table.head) {
    const entries = await readBlocks(database, table, after, 4096)
    for (const entry of entries) if (entry.kind === 'reading') table.gather(entry)
    after = entries.at(-1)?.seq ?? table.head
  }
  const fact = keys.factKey(packingFact(table))
  if (database.get(fact) === undefined) return []
  const puts: Put[] = [{ key: fact, value: undefined }]
  for await (const [key] of database.blocks({ ...keys.rangeOf('chunk', table.id), values: false }))
    if (keys.chunkKeyFirst(key) > table.packed) puts.push({ key, value: undefined })
  return puts
}

async function loadCorrections(database: Database): Promise<void> {
  const table = database.tables.get(clockTable)
  if (table?.kind !== 'records') return
  for await (const { key, row } of database.scanRows(keys.rangeOf('row', table.id)))
    database.corrections.note(key, row.origin, row.value, row.seq)
}

async function lastKey(database: Database, range: keys.KeyRange): Promise<Buffer | undefined> {
  const iterator = database.level.iterator({ ...range, reverse: true, limit: 1, values: false })
  try {
    const last = await iterator.next()
    return last?.[0]
  } finally {
    await iterator.close()
  }
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf('\0')
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}
