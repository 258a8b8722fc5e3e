/** A database as version 0.1.0 left it, and what that read in it. */
import { readFileSync } from 'node:fs'
import { gunzipSync } from 'node:zlib'
import { joined, openChain } from '../../runtime/backup/restore.ts'
import type { Json } from '../../runtime/reading.ts'
import { NewDatabase } from '../../runtime/store/closed.ts'
import type { Entry, Row, TableSpec } from '../../runtime/store/types.ts'

type Flat = Record<string, Json>

export type Yesterday = {
  readonly epoch: string
  readonly cursors: Readonly<Record<string, number>>
  readonly states: Readonly<Record<string, Readonly<Record<string, Json>>>>
  readonly tables: Readonly<
    Record<
      string,
      {
        readonly kind: TableSpec['kind']
        readonly head: number
        readonly first: number
        readonly log: readonly Flat[]
        readonly query: readonly Flat[]
        readonly rows: readonly Flat[]
      }
    >
  >
}

export const yesterday = JSON.parse(
  gunzipSync(readFileSync('test/fixtures/format-1.json.gz')).toString(),
) as unknown as Yesterday

export const yesterdaysTables: readonly TableSpec[] = Object.entries(yesterday.tables).map(([name, { kind }]) => ({
  name,
  kind,
}))

/** Puts the database into a folder, as it was. */
export async function putYesterday(folder: string): Promise<void> {
  const database = await NewDatabase.create(folder)
  const chain = await openChain(['test/fixtures/format-1.backup'], process.stdin)
  for await (const { key, value } of joined(chain)) await database.put(key, value)
  await database.finish()
}

/** An entry or row as it stands in the file. */
export function flat(entry: Entry | Row): Flat {
  const { series, ...rest } = entry as Entry & { readonly series?: Record<string, Json> }
  const names = series && [series['origin'], series['device'], series['metric'], series['unit'] ?? null]
  return JSON.parse(JSON.stringify({ ...rest, ...(names && { series: names }) })) as Flat
}
