/**
 * Where in a line each field stands: by the names of its columns or keys, by what `--map` says of them, or the same for
 * every line with `--set`. Pure.
 */
import { nearestName } from '../../document.ts'
import { HoldfastError } from '../../errors.ts'
import type { TableKind } from '../../store/types.ts'
import { valueOfCell } from '../../transfer/csv.ts'
import { type FieldName, type Fields, fieldsIn, fieldsOf } from '../../transfer/items.ts'
import { UsageError } from '../failure.ts'

export type Choice = {
  /** Field to column. */
  readonly map: ReadonlyMap<FieldName, string>
  /** Field to the text that it has on every line. */
  readonly set: ReadonlyMap<FieldName, string>
}

/** Of `--map time=Zeit` and `--set device=freezer-1`. Throws UsageError. */
export function choiceOf(kind: TableKind, maps: readonly string[], sets: readonly string[]): Choice {
  const choice = { map: pairs(kind, '--map', 'COLUMN', maps), set: pairs(kind, '--set', 'TEXT', sets) }
  const both = [...choice.map.keys()].find(name => choice.set.has(name))
  if (both !== undefined) throw new UsageError(`--map and --set both speak of "${both}": give one of them`)
  return choice
}

function pairs(kind: TableKind, option: string, what: string, texts: readonly string[]): Map<FieldName, string> {
  const known = fieldsOf(kind)
  const found = new Map<FieldName, string>()
  for (const text of texts) {
    const at = text.indexOf('=')
    if (at < 1) throw new UsageError(`${option} ${text}: write FIELD=${what}`)
    const given = text.slice(0, at)
    const name = known.find(field => field === given)
    if (name === undefined) {
      const nearest = nearestName(given, known)
      const hint = nearest ? `did you mean "${nearest}"?` : `fields are ${known.join(', ')}`
      throw new UsageError(`${option} ${text}: there is no field "${given}"; ${hint}`)
    }
    if (found.has(name)) throw new UsageError(`${option} speaks twice of "${name}"`)
    found.set(name, text.slice(at + 1))
  }
  return found
}

/** Without these a line means nothing. */
const needed = (kind: TableKind): readonly FieldName[] =>
  kind === 'series' ? ['time', 'device', 'metric', 'value'] : ['key', 'value']

/** Cells to fields. */
export type Head = {
  readonly width: number
  /** Columns that nothing is taken from. */
  readonly unused: readonly string[]
  fields(cells: readonly string[]): Fields
}

/** Throws BAD_LINES if a column is missing that is needed. */
export function headOf(kind: TableKind, cells: readonly string[], { map, set }: Choice): Head {
  const names = cells.map(cell => cell.trim())
  const places = new Map<FieldName, number>()
  for (const field of fieldsOf(kind)) {
    if (set.has(field)) continue
    const place = placeOf(names, map.get(field), field)
    if (place !== undefined) places.set(field, place)
    else if (map.has(field) || needed(kind).includes(field)) throw noColumn(map.get(field) ?? field, field, names)
  }
  const used = new Set(places.values())
  return {
    width: names.length,
    unused: names.filter((_, place) => !used.has(place)),
    fields: record => name => {
      const text = set.get(name) ?? record[places.get(name) ?? -1]
      return text === undefined || text === '' ? undefined : name === 'value' ? valueOfCell(text) : text
    },
  }
}

/** A column with just this name; else one that differs from it only in capitals. */
function placeOf(names: readonly string[], mapped: string | undefined, field: FieldName): number | undefined {
  const wanted = mapped === undefined ? (field === 'time' ? ['time', 'time_ms'] : [field]) : [mapped]
  for (const name of wanted) {
    const exact = names.indexOf(name)
    const place = exact >= 0 ? exact : names.findIndex(found => found.toLowerCase() === name.toLowerCase())
    if (place >= 0) return place
  }
  return undefined
}

const shownColumnsMax = 20

function noColumn(column: string, field: FieldName, names: readonly string[]): HoldfastError {
  const shown = names.slice(0, shownColumnsMax).map(name => `"${name.slice(0, 64)}"`)
  const more = names.length > shownColumnsMax ? ` and ${names.length - shownColumnsMax} more` : ''
  return new HoldfastError(
    'BAD_LINES',
    `the head line has no column "${column}": it has ${shown.join(', ')}${more}`,
    `say which it is with --map ${field}=COLUMN, or what it is on every line with --set ${field}=TEXT`,
  )
}

/** An object to fields. */
export function fieldsOfObject(object: Readonly<Record<string, unknown>>, { map, set }: Choice): Fields {
  const plain = fieldsIn(object)
  return name => {
    const text = set.get(name)
    if (text !== undefined) return name === 'value' ? valueOfCell(text) : text
    const key = map.get(name)
    return key === undefined ? plain(name) : Object.hasOwn(object, key) ? object[key] : undefined
  }
}

/** Keys of what `export` and `query --json` write that nothing is taken from, and nobody misses. */
const passedOver = new Set(
  [
    'kind',
    'seq',
    'time_ms',
    'device_time_ms',
    'arrival_ms',
    'clock',
    'origin',
    'via',
    'stamp',
    'deleted',
    'time',
  ].values(),
)

/** Whether a key of an object is one that somebody might have meant to be imported, and is not. */
export function isUnused(kind: TableKind, key: string, { map, set }: Choice): boolean {
  if (passedOver.has(key) || [...map.values()].includes(key)) return false
  return !fieldsOf(kind).some(field => field === key && !map.has(field) && !set.has(field))
}
