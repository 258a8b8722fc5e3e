/**
 * What is chosen for a stream, checked: that an expression compiles for the kind of its table, and that both ends of a
 * stream can come to hold the same. Pure; each problem stands where the key does, that of an expression at its word.
 */
import { compileReadingWhere, compileRowWhere } from '../../rules/expression/where.ts'
import type { Finding, Path } from '../document.ts'
import type { ConfigFile, TableKind } from './schema.ts'

type Tables = ReadonlyMap<string, TableKind>
type Published = ConfigFile['bridges'][number]['publish'][number]

/** What travels with every reading, and is no part of its value. */
const alwaysSent = ['device', 'metric', 'value', 'unit', 'origin']

export function selections({ bridges = [] }: Partial<ConfigFile>, tables: Tables): Finding[] {
  return bridges.flatMap(({ publish, subscribe }, index) =>
    publish.flatMap((stream, place) => {
      const path = ['bridges', index, 'publish', place]
      const isBoth = subscribe.includes(stream.table)
      return [
        ...whereFault(stream, path, tables),
        ...columnFaults(stream, path, tables),
        ...everyFault(stream, path, tables),
        ...liveFirstFault(stream, path, tables),
        ...(isBoth ? oneWayAlone(stream, path) : []),
      ]
    }),
  )
}

function whereFault({ table, where }: Published, path: Path, tables: Tables): Finding[] {
  const kind = tables.get(table)
  if (where === undefined || kind === undefined) return []
  const compiled = kind === 'series' ? compileReadingWhere(where) : compileRowWhere(where)
  if (compiled.ok) return []
  return [{ path: [...path, 'where'], message: compiled.fault.message, offset: compiled.fault.offset }]
}

function columnFaults({ table, columns = [] }: Published, path: Path, tables: Tables): Finding[] {
  if (tables.get(table) !== 'series') return []
  return columns.flatMap((name, index) => {
    if (!alwaysSent.includes(name)) return []
    const message = `"${name}" is no column: device, metric and unit always go up; name keys of values that are objects`
    return [{ path: [...path, 'columns', index], message }]
  })
}

function everyFault({ table, every, columns }: Published, path: Path, tables: Tables): Finding[] {
  if (every === undefined) return []
  if (tables.get(table) === 'records') {
    return [
      { path: [...path, 'every'], message: `"${table}" is a records table; only series have periods`, onKey: true },
    ]
  }
  if (columns === undefined) return []
  return [
    {
      path: [...path, 'columns'],
      message: 'a summary of numbers has no columns: leave one of "columns" and "every" out',
      onKey: true,
    },
  ]
}

function liveFirstFault({ table, live_first: liveFirst }: Published, path: Path, tables: Tables): Finding[] {
  if (!liveFirst || tables.get(table) !== 'records') return []
  const message = `"${table}" is a records table, of which the latest rows go anyway; only series have live_first`
  return [{ path: [...path, 'live_first'], message, onKey: true }]
}

/** What comes down is the whole row, what goes up a part of it: the two sides would never hold the same. */
function oneWayAlone(stream: Published, path: Path): Finding[] {
  return (['where', 'columns', 'every'] as const).flatMap(key => {
    if (stream[key] === undefined) return []
    const message = `"${key}" is for tables that only go up: this bridge subscribes to "${stream.table}" too`
    return [{ path: [...path, key], message, onKey: true }]
  })
}
