/**
 * What is wrong with the files of a LevelDB, found without opening it. Reads only; says what it would do, and
 * `folder-mend.ts` does it.
 *
 * A quick look reads what an opening depends on: names, CURRENT, MANIFEST, the logs, and of each table its index, footer
 * and filter. A thorough one reads every block.
 */
import { lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { readFound, withReader } from './files.ts'
import { readFramedLog } from './framed-log.ts'
import { type Manifest, readManifest } from './manifest.ts'
import { checkTable, isTableWhole } from './table-file.ts'
import type { TableBounds } from './table-mend.ts'

export type Fault =
  /** The database is not there, though it was: its folder, or all that was in it. */
  | { readonly kind: 'gone'; readonly file: string; readonly what: string }
  /** Something else stands where the folder should be. */
  | { readonly kind: 'no-folder'; readonly file: string; readonly what: string }
  | { readonly kind: 'table'; readonly file: string; readonly what: string; readonly bounds: TableBounds }
  | { readonly kind: 'log'; readonly file: string; readonly what: string; readonly bytes: number }
  /** A log is missing that held the newest writes. */
  | { readonly kind: 'log-gone'; readonly file: string; readonly what: string }
  /** CURRENT must name this MANIFEST. */
  | { readonly kind: 'current'; readonly file: string; readonly what: string; readonly manifest: string }
  /** The MANIFEST has rubbish behind what is whole of it. */
  | { readonly kind: 'manifest-end'; readonly file: string; readonly what: string }
  /** Which files belong to the database cannot be read any more: LevelDB's own repair finds out. */
  | { readonly kind: 'manifest'; readonly file: string; readonly what: string }

export type CheckOptions = {
  readonly isThorough: boolean
  /** The log that is known to have been in use, by its number. */
  readonly knownLog?: number | undefined
  /** True if there is known to have been a database. */
  readonly wasThere?: boolean | undefined
  readonly progress?: ((doneBytes: number, allBytes: number) => void) | undefined
}

const tableName = /^(\d+)\.(ldb|sst)$/
const logName = /^(\d+)\.log$/

/** `folder` is the database's own. */
export async function checkFolder(folder: string, options: CheckOptions): Promise<Fault[]> {
  const stat = lstatSync(folder, { throwIfNoEntry: false })
  if (stat === undefined) return options.wasThere ? [{ kind: 'gone', file: '', what: 'the folder is gone' }] : []
  if (!statSync(folder).isDirectory()) return [{ kind: 'no-folder', file: '', what: 'it is not a folder' }]
  const names = readdirSync(folder)
  const manifests = names.filter(name => /^MANIFEST-\d+$/.test(name)).toSorted((a, b) => b.localeCompare(a))
  const isEmpty = manifests.length === 0 && !names.some(name => tableName.test(name) || logName.test(name))
  if (isEmpty) return [{ kind: 'gone', file: '', what: 'the folder is empty' }]
  const { faults, manifest } = findManifest(folder, names, manifests)
  faults.push(...(await checkTables(folder, names, manifest, options)))
  faults.push(...checkLogs(folder, names, manifest, options.knownLog))
  return faults
}

function findManifest(
  folder: string,
  names: readonly string[],
  manifests: readonly string[],
): { readonly faults: Fault[]; readonly manifest: Manifest | undefined } {
  const current = names.includes('CURRENT') ? readFound(join(folder, 'CURRENT')).bytes.toString('latin1') : undefined
  const named = /^(MANIFEST-\d+)\n$/.exec(current ?? '')?.[1]
  const faults: Fault[] = []
  if (named === undefined || !manifests.includes(named)) {
    const what =
      current === undefined ? 'it is missing' : named === undefined ? 'it is not readable' : 'it names a missing file'
    for (const name of manifests) {
      const manifest = manifestIn(folder, name)
      if (!manifest?.isWhole || !isConsistent(manifest, names)) continue
      return { faults: [{ kind: 'current', file: 'CURRENT', what, manifest: name }], manifest }
    }
    if (named === undefined) return { faults: [{ kind: 'manifest', file: 'CURRENT', what }], manifest: undefined }
    return { faults: [{ kind: 'manifest', file: named, what: 'it is missing' }], manifest: undefined }
  }
  const manifest = manifestIn(folder, named)
  if (manifest?.isWhole) return { faults, manifest }
  if (manifest !== undefined && !manifest.isHoled && isConsistent(manifest, names)) {
    return { faults: [{ kind: 'manifest-end', file: named, what: 'its end is not readable' }], manifest }
  }
  return { faults: [{ kind: 'manifest', file: named, what: 'it is not readable' }], manifest: undefined }
}

function manifestIn(folder: string, name: string): Manifest | undefined {
  return readManifest(readFound(join(folder, name)).bytes)
}

/** True if it tells of every table file, and of none that is not there: nothing can have happened after it. */
function isConsistent({ files, logNumber }: Manifest, names: readonly string[]): boolean {
  const tables = numbersOf(names, tableName)
  const logs = numbersOf(names, logName)
  return tables.length === files.size && tables.every(number => files.has(number)) && logs.includes(logNumber)
}

async function checkTables(
  folder: string,
  names: readonly string[],
  manifest: Manifest | undefined,
  { isThorough, progress }: CheckOptions,
): Promise<Fault[]> {
  const faults: Fault[] = []
  const all = manifest ? [...manifest.files.values()] : tablesOnDisk(folder, names)
  const allBytes = all.reduce((sum, { bytes }) => sum + bytes, 0)
  let doneBytes = 0
  for (const { number, ...bounds } of all) {
    const file = names.find(name => Number(tableName.exec(name)?.[1]) === number)
    const what = file === undefined ? 'it is missing' : tableFault(join(folder, file), bounds.bytes, isThorough)
    if (what !== undefined) faults.push({ kind: 'table', file: file ?? nameOf(number), what, bounds })
    doneBytes += bounds.bytes
    progress?.(doneBytes, allBytes)
    // Long scans must not keep everything else waiting.
    if (isThorough) await new Promise(resolve => setImmediate(resolve))
  }
  return faults
}

/** What is wrong with one table file, in a sentence; undefined if nothing is. */
export function tableFault(path: string, bytes: number, isThorough: boolean): string | undefined {
  return withReader(path, (read, length) => {
    if (length < bytes) return `it has ${length} bytes, and should have ${bytes}`
    const check = checkTable(read, bytes, isThorough)
    if (isTableWhole(check)) return undefined
    if (check.index === undefined) return 'its index is damaged'
    if (check.bad.length === 0) return 'its filter is damaged'
    return `${check.bad.length} of its ${check.index.length} blocks ${check.bad.length === 1 ? 'is' : 'are'} damaged`
  })
}

function tablesOnDisk(folder: string, names: readonly string[]): ({ readonly number: number } & TableBounds)[] {
  return names.flatMap(name => {
    const number = tableName.exec(name)?.[1]
    return number === undefined ? [] : [{ number: Number(number), bytes: statSync(join(folder, name)).size }]
  })
}

function checkLogs(
  folder: string,
  names: readonly string[],
  manifest: Manifest | undefined,
  knownLog: number | undefined,
): Fault[] {
  const faults: Fault[] = []
  const numbers = numbersOf(names, logName)
  for (const name of names) {
    const number = Number(logName.exec(name)?.[1] ?? Number.NaN)
    const isInUse = manifest === undefined || number >= manifest.logNumber || number === manifest.prevLogNumber
    if (Number.isNaN(number) || !isInUse) continue
    const { bytes, unreadable } = readFound(join(folder, name))
    const { damaged } = readFramedLog(bytes)
    const lost = damaged.reduce((sum, stretch) => sum + stretch.bytes, 0)
    if (lost > 0) faults.push({ kind: 'log', file: name, what: `${lost} bytes of it are damaged`, bytes: lost })
    else if (unreadable > 0)
      faults.push({ kind: 'log', file: name, what: `${unreadable} bytes at its end cannot be read`, bytes: unreadable })
  }
  if (knownLog !== undefined && !numbers.includes(knownLog) && knownLog >= (manifest?.logNumber ?? 0)) {
    faults.push({ kind: 'log-gone', file: `${String(knownLog).padStart(6, '0')}.log`, what: 'it is missing' })
  }
  return faults
}

const numbersOf = (names: readonly string[], form: RegExp): number[] =>
  names.flatMap(name => {
    const number = form.exec(name)?.[1]
    return number === undefined ? [] : [Number(number)]
  })

const nameOf = (number: number): string => `${String(number).padStart(6, '0')}.ldb`
