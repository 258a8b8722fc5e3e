/**
 * From the keys of a published stream to what its sender needs: here the expression language of `rules` meets
 * `replication`, which knows nothing of it. Pure.
 */
import { compileReadingWhere, compileRowWhere } from '../rules/expression/where.ts'
import type { BridgeConfig, Config, PublishConfig } from './config/config.ts'
import { HoldfastError } from './errors.ts'
import type { SelectionOptions } from './replication/send/selection.ts'
import type { RollupOptions } from './rollup/rollup.ts'
import { cursorOf } from './replication/send/source.ts'
import { stampMs } from './stamp.ts'
import { type ReadingEntry, type ReadingTest, type RecordEntry, type TableKind, timeOf } from './store/types.ts'

/** What of its table goes into a stream; undefined if all of it does. Throws if `where` does not compile: config has checked it. */
export function selectionOf({ where, columns }: PublishConfig, kind: TableKind): SelectionOptions | undefined {
  if (where === undefined && columns === undefined) return undefined
  const none = { where: undefined, byKeyAlone: false }
  const chosen = where === undefined ? none : kind === 'series' ? ofReadings(where) : ofRows(where)
  return { ...chosen, columns }
}

/** How the summaries of a stream come about; undefined if it has none. */
export function rollupOf(
  stream: PublishConfig,
  sentCursor: string,
  commitIntervalMs: number,
): RollupOptions | undefined {
  const { table, start, where, every } = stream
  if (every === undefined) return undefined
  // A reading that arrived is on the disk one commit interval later.
  const commitMs = commitIntervalMs + 100
  return {
    table,
    ...every,
    start,
    where: where === undefined ? undefined : readingChooser(where),
    sentCursor,
    commitMs,
  }
}

/** The `where` of a question about readings. Throws BAD_ARGUMENT with the place of what is wrong in it. */
export function readingTest(text: string): ReadingTest {
  const compiled = compileReadingWhere(text)
  if (compiled.ok) {
    const ofSeries = ['device', 'metric', 'unit', 'origin']
    return { chooses: compiled.choose, isOfSeries: [...compiled.mentions].every(name => ofSeries.includes(name)) }
  }
  const { message, offset } = compiled.fault
  throw new HoldfastError(
    'BAD_ARGUMENT',
    `"where" is not understood at character ${offset + 1}: ${message}`,
    'write an expression such as value > 8 && metric == "temperature"; docs/expressions.md has the language',
  )
}

type Where = Pick<SelectionOptions, 'where' | 'byKeyAlone'>

function ofReadings(text: string): Where {
  const chooses = readingChooser(text)
  return { where: entry => entry.kind === 'reading' && chooses(entry), byKeyAlone: false }
}

function readingChooser(text: string): (entry: ReadingEntry) => boolean | undefined {
  const compiled = compileReadingWhere(text)
  if (!compiled.ok) throw new Error(compiled.fault.message)
  return entry => {
    const { device, metric, unit } = entry.series
    return compiled.choose({ device, metric, unit, value: entry.value, origin: entry.origin, timeMs: timeOf(entry) })
  }
}

function ofRows(text: string): Where {
  const compiled = compileRowWhere(text)
  if (!compiled.ok) throw new Error(compiled.fault.message)
  const chooses = ({ key, value, origin, stamp }: RecordEntry): boolean | undefined =>
    compiled.choose({ key, value, origin, timeMs: stampMs(stamp) })
  const byKeyAlone = [...compiled.mentions].every(name => name === 'key')
  return { where: entry => entry.kind === 'record' && chooses(entry), byKeyAlone }
}

/** Which table is read by a cursor; undefined for one that nobody in this configuration moves on any more. */
export function tableRead({ bridges }: Pick<Config, 'bridges'>): (cursor: string) => string | undefined {
  const known = new Map<string, string>()
  for (const { name, publish } of bridges) {
    for (const { table, every } of publish) {
      known.set(cursorOf(name, every?.log ?? table), every?.log ?? table)
      if (every !== undefined) known.set(`every/${every.log}`, table)
    }
  }
  return cursor => {
    const [owner = '', ...rest] = cursor.split('/')
    if (owner === 'pack') return undefined
    return ['bridge', 'every'].includes(owner) ? known.get(cursor) : rest.at(-1)
  }
}

type Tables = ReadonlyMap<string, { readonly kind: TableKind }>

/** What a hub needs to understand the readings of a gateway: when they were really taken, and which will never come. */
const impliedTables = ['clock', 'gaps'] as const
/** A gateway that takes readings of others is told of gaps by the stream itself. */
const impliedDown = 'clock'

/** The streams of a bridge: those that are named, and to a hub that gets readings those that belong to them. */
export function streamsOf(
  { publish, target }: Pick<BridgeConfig, 'publish' | 'target'>,
  tables: Tables,
): readonly (PublishConfig & { readonly isImplied?: boolean })[] {
  const named = new Set(publish.map(({ table }) => table))
  if (target !== 'hub' || !hasReadings([...named], tables)) return publish
  return [...publish, ...impliedTables.filter(table => !named.has(table) && tables.has(table)).map(implied)]
}

/** What comes down to a bridge beside what it names: with readings the corrections of their times. */
export function alsoDown(
  { subscribe, target }: Pick<BridgeConfig, 'subscribe' | 'target'>,
  tables: Tables,
): readonly string[] {
  if (target !== 'hub' || !hasReadings(subscribe, tables) || subscribe.includes(impliedDown)) return []
  return tables.has(impliedDown) ? [impliedDown] : []
}

/** What `all` means to a hub: not what it has put aside, and not the logs of its own summaries. */
export function tablesToShare({ tables, bridges }: Pick<Config, 'tables' | 'bridges'>): readonly string[] {
  const own = new Set(['parked', ...bridges.flatMap(({ publish }) => publish.map(({ every }) => every?.log))])
  return [...tables.keys()].filter(table => !own.has(table))
}

/** The tables that a hub takes: with readings comes what belongs to them. */
export function acceptedTables(accept: readonly string[], tables: Tables): readonly string[] {
  return hasReadings(accept, tables) ? [...new Set([...accept, ...impliedTables])] : accept
}

/** The tables that a hub gives: with readings go the corrections of their times. */
export function offeredTables(offer: readonly string[], tables: Tables): readonly string[] {
  return hasReadings(offer, tables) ? [...new Set([...offer, impliedDown])] : offer
}

const hasReadings = (names: readonly string[], tables: Tables): boolean =>
  names.some(table => tables.get(table)?.kind === 'series')

const implied = (table: string) => ({
  table,
  start: 'beginning' as const,
  where: undefined,
  columns: undefined,
  every: undefined,
  liveFirst: false,
  window: undefined,
  topic: undefined,
  format: 'json' as const,
  payload: undefined,
  isImplied: true,
})
