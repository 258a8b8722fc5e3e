/**
 * What is wrong with the files of a LevelDB, found without opening it. Reads only; says what it would do, and
 * `folder-mend.ts` does it.
 *
 * A quick look reads what an opening depends on: names, CURRENT, MANIFEST, the logs, and of each table its index, footer
 * and filter. A thorough one reads every block.
 */
import { existsSync, lstatSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import type { KnownLog } from './card.ts'
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
  | {
      readonly kind: 'log'
      readonly file: string
      readonly what: string
      readonly bytes: number
      readonly isEndLost: boolean
    }
  /** A log is missing that held the newest writes. */
  | { readonly kind: 'log-gone'; readonly file: string; readonly what: string }
  /** CURRENT must name this MANIFEST. */
  | { readonly kind: 'current'; readonly file: string; readonly what: string; readonly manifest: string }
  /** The MANIFEST has rubbish behind what is whole of it. */
  | { readonly kind: 'manifest-end'; readonly file: string; readonly what: string }
  /** Which files belong to the database cannot be read any more: LevelDB's own repair finds out. */
  | { readonly kind: 'manifest'; readonly file: string; readonly what: string }

export type CheckOptions = {
  /** Every block: of all tables, of those named, or of none. */
  readonly isThorough: boolean | ReadonlySet<string>
  /** The database is in use meanwhile: only what does not change is looked at, and slowly. */
  readonly isOpen?: boolean | undefined
  /** The log that is known to have been in use. */
  readonly knownLog?: KnownLog | undefined
  /** The database was closed in peace: no write can have been interrupted. */
  readonly isClean?: boolean | undefined
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
  const tables = await checkTables(folder, names, manifest, options)
  if (options.isOpen) return manifest === undefined ? [] : tables.filter(({ file }) => isNamed(folder, file))
  faults.push(...tables, ...checkLogs(folder, names, manifest, options))
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
  { isThorough, isOpen, progress }: CheckOptions,
): Promise<Fault[]> {
  const faults: Fault[] = []
  const all = manifest ? [...manifest.files.values()] : tablesOnDisk(folder, names)
  const allBytes = all.reduce((sum, { bytes }) => sum + bytes, 0)
  let doneBytes = 0
  for (const { number, ...bounds } of all) {
    const file = names.find(name => Number(tableName.exec(name)?.[1]) === number)
    const beginMs = performance.now()
    const isEvery = typeof isThorough === 'boolean' ? isThorough : file !== undefined && isThorough.has(file)
    const what = file === undefined ? 'it is missing' : tableFault(join(folder, file), bounds.bytes, isEvery)
    if (what !== undefined) faults.push({ kind: 'table', file: file ?? nameOf(number), what, bounds })
    doneBytes += bounds.bytes
    progress?.(doneBytes, allBytes)
    // Long scans must not keep everything else waiting.
    if (isThorough !== false) await pause(isOpen ? restShare * (performance.now() - beginMs) : 0)
  }
  return faults
}

/** Beside the work of others: so much rest for each time of reading. */
const restShare = 3

const pause = (ms: number): Promise<void> =>
  new Promise(resolve => (ms > 0 ? setTimeout(resolve, ms) : setImmediate(resolve)))

/** A table of an open database that is not in its MANIFEST any more has been joined into others meanwhile. */
function isNamed(folder: string, file: string): boolean {
  const names = readdirSync(folder)
  const manifests = names.filter(name => /^MANIFEST-\d+$/.test(name))
  const { manifest } = findManifest(folder, names, manifests)
  return manifest?.files.has(Number(tableName.exec(file)?.[1])) ?? false
}

/** What is wrong with one table file, in a sentence; undefined if nothing is. */
function tableFault(path: string, bytes: number, isThorough: boolean): string | undefined {
  if (!existsSync(path)) return 'it is missing'
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
  { knownLog, isClean }: CheckOptions,
): Fault[] {
  const faults: Fault[] = []
  const numbers = numbersOf(names, logName)
  for (const name of names) {
    const number = Number(logName.exec(name)?.[1] ?? Number.NaN)
    const isInUse = manifest === undefined || number >= manifest.logNumber || number === manifest.prevLogNumber
    if (Number.isNaN(number) || !isInUse) continue
    const { bytes, unreadable } = readFound(join(folder, name))
    const { damaged, torn, end } = readFramedLog(bytes)
    const short = isClean && number === knownLog?.number ? Math.max(0, knownLog.bytes - end) : 0
    const isEndLost = unreadable > 0 || short > 0 || (isClean === true && torn !== undefined)
    const lost = damaged.reduce(
      (sum, stretch) => sum + stretch.bytes,
      Math.max(short, isEndLost ? (torn?.bytes ?? 0) : 0),
    )
    if (lost > 0 || isEndLost)
      faults.push({ kind: 'log', file: name, what: `${lost} bytes of it are lost`, bytes: lost, isEndLost })
    // LevelDB's repair does not look at the checksums of a log.
    else if (manifest === undefined && torn !== undefined)
      faults.push({ kind: 'log', file: name, what: 'it was being written', bytes: 0, isEndLost: false })
  }
  if (knownLog !== undefined && !numbers.includes(knownLog.number) && knownLog.number >= (manifest?.logNumber ?? 0)) {
    faults.push({ kind: 'log-gone', file: `${String(knownLog.number).padStart(6, '0')}.log`, what: 'it is missing' })
  }
  return faults
}

const numbersOf = (names: readonly string[], form: RegExp): number[] =>
  names.flatMap(name => {
    const number = form.exec(name)?.[1]
    return number === undefined ? [] : [Number(number)]
  })

const nameOf = (number: number): string => `${String(number).padStart(6, '0')}.ldb`
