/**
 * Examines the store of a gateway that does not run, and mends it if that is wanted.
 *
 * Nothing here knows better than an opening does: the doctor opens the store as a gateway would, reading every block and
 * every value first, and tells what that found. To say beforehand what mending would do, it does it to a second set of
 * names for the same files (hard links, which take no space), because neither LevelDB nor mending writes into a file that
 * stands; the links go again.
 */
import {
  accessSync,
  constants,
  copyFileSync,
  existsSync,
  linkSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  realpathSync,
  rmSync,
} from 'node:fs'
import { join } from 'node:path'
import { messageOf } from '../errors.ts'
import { type Log, silentLog } from '../log.ts'
import type { Database } from './database.ts'
import { cardOf } from './health.ts'
import { openHome } from './home.ts'
import { takeLock } from './lock.ts'
import { LogReader } from './log-reader.ts'
import { checkFolder } from './mending/folder-check.ts'
import { type DamageReport, lostReason } from './mending/report.ts'
import { rawPairs } from './mending/raw.ts'
import { openDatabase } from './opening.ts'
import { type TableSpec, asSeq, seqZero } from './types.ts'

export type Finding = {
  /** `trouble` is something that mending mends; `warning` is for a person; `note` is good to know. */
  readonly level: 'trouble' | 'warning' | 'note'
  readonly text: string
}

export type Examination = {
  readonly folder: string
  readonly findings: readonly Finding[]
  /** What was mended, or would be; undefined if nothing was to be mended. */
  readonly report: DamageReport | undefined
  readonly isMended: boolean
}

export type DoctorOptions = {
  readonly path: string
  /** Those of the configuration. */
  readonly tables: readonly TableSpec[]
  readonly origin: string
  readonly isDry: boolean
  readonly ballastBytes: number
  readonly now: () => number
  readonly monotonicMs: () => number
  /** What is being read, and how far that has come. */
  readonly progress: (doing: string, done: number, all: number) => void
  readonly log?: Log
}

/** Throws STORE_LOCKED if the gateway runs, NOT_FOUND if there is no store. */
export async function examine(options: DoctorOptions): Promise<Examination> {
  const folder = realpathSync(options.path)
  const findings = [...accessFindings(folder)]
  const lock = await takeLock(folder)
  const scratch = join(folder, 'doctor.tmp')
  try {
    const faults = await checkFolder(join(folder, 'db'), {
      isThorough: true,
      wasThere: existsSync(join(folder, 'card.json')),
      progress: (done, all) => options.progress('reading files', done, all),
    })
    for (const { file, what } of faults) findings.push({ level: 'trouble', text: `${join('db', file)}: ${what}` })
    rmSync(scratch, { recursive: true, force: true })
    if (options.isDry) linkFolder(folder, scratch)
    else await lock.release()
    const { report, more } = await open(options.isDry ? scratch : folder, options)
    return { folder, findings: [...findings, ...more], report, isMended: report !== undefined && !options.isDry }
  } finally {
    rmSync(scratch, { recursive: true, force: true })
    if (options.isDry) await lock.release()
  }
}

/** Opens it as a gateway would: once to bring it into order, and again where values were damaged, which only reading shows. */
async function open(
  path: string,
  options: DoctorOptions,
): Promise<{ report: DamageReport | undefined; more: Finding[] }> {
  const { tables, now, monotonicMs, origin, ballastBytes, log = silentLog } = options
  const home = await openHome(path, options.isDry ? 0 : ballastBytes, now, log, 0)
  const stamps = { take: (): never => 0 as never, observe: () => undefined, last: 0 as never }
  const storeOptions = { path, tables: [], stamps, origin, commitIntervalMs: 0, ballastBytes, monotonicMs, now, log }
  try {
    let opened = await openDatabase(home, storeOptions, [])
    try {
      const suspects: Buffer[] = []
      let read = 0
      for await (const { key, value } of rawPairs(opened.database.level, { gte: Buffer.of(0), lt: Buffer.of(0xff) })) {
        if (value === undefined) suspects.push(key)
        if (++read % 1_000 === 0) options.progress('reading values', read, 0)
      }
      if (suspects.length > 0) {
        const { report } = opened
        await opened.database.level.close()
        opened = await openDatabase(home, storeOptions, suspects)
        opened = { ...opened, report: joined(report, opened.report) }
      }
      const more = [
        ...(await logFindings(opened.database, options)),
        ...cursorFindings(opened.database),
        ...tableFindings(opened.database, tables),
      ]
      home.keepCard?.(cardOf(opened.database), true)
      return { report: opened.report, more }
    } finally {
      await opened.database.level.close()
    }
  } finally {
    await home.close()
  }
}

function joined(first: DamageReport | undefined, second: DamageReport | undefined): DamageReport | undefined {
  if (first === undefined || second === undefined) return first ?? second
  return {
    ...second,
    files: [...first.files, ...second.files],
    lost: [...first.lost, ...second.lost],
    notes: [...first.notes, ...second.notes],
    values: first.values + second.values,
  }
}

/** Every log from its first position to its head, as a follower reads it. */
async function logFindings(database: Database, { progress }: DoctorOptions): Promise<Finding[]> {
  const findings: Finding[] = []
  const logs = new LogReader(database)
  for (const table of database.tables.values()) {
    let lost = 0
    let entries = 0
    for (let after = asSeq(table.first - 1); after < table.head; ) {
      const portion = await logs.read(table, after, 4_096)
      for (const entry of portion) {
        if (entry.kind !== 'gap') entries++
        else if (entry.reason === lostReason || entry.reason === 'missing on disk') lost += entry.count
      }
      after = portion.at(-1)?.seq ?? table.head
      progress(`reading ${table.name}`, after - table.first, table.head - table.first)
    }
    if (table.head === seqZero) continue
    const text = `table "${table.name}": positions ${table.first} to ${table.head}, ${entries} entries can be read`
    findings.push({ level: 'note', text })
    if (lost > 0) findings.push({ level: 'note', text: `table "${table.name}": ${lost} entries were lost to damage` })
  }
  return findings
}

/** A cursor names its table last: bridge/NAME/TABLE. */
function cursorFindings({ cursors, tables }: Database): Finding[] {
  return [...cursors].flatMap(([name, seq]): Finding[] => {
    const table = tables.get(name.slice(name.lastIndexOf('/') + 1))
    if (table === undefined || seq <= table.head) return []
    const text = `"${name}" stands at ${seq}, and the log of "${table.name}" ends at ${table.head}: its end was lost once`
    return [{ level: 'warning', text }]
  })
}

function tableFindings({ tables }: Database, specs: readonly TableSpec[]): Finding[] {
  const findings: Finding[] = []
  for (const { name, kind } of specs) {
    const stored = tables.get(name)
    if (stored !== undefined && stored.kind !== kind) {
      const text = `table "${name}" is stored as ${stored.kind}, and the configuration says ${kind}: the gateway will not start`
      findings.push({ level: 'warning', text })
    }
  }
  for (const { name } of tables.values()) {
    if (specs.length > 0 && !specs.some(spec => spec.name === name))
      findings.push({ level: 'note', text: `table "${name}" is stored, and in no configuration: it is kept as it is` })
  }
  return findings
}

/** What this user may not do here. */
function accessFindings(folder: string): Finding[] {
  const findings: Finding[] = []
  const look = (path: string, mode: number, may: string): void => {
    try {
      if (existsSync(path)) accessSync(path, mode)
    } catch (error) {
      findings.push({ level: 'warning', text: `${path} cannot be ${may} by this user: ${messageOf(error)}` })
    }
  }
  look(folder, constants.W_OK | constants.R_OK, 'read and written')
  const database = join(folder, 'db')
  if (existsSync(database) && lstatSync(database).isDirectory()) {
    look(database, constants.W_OK | constants.R_OK, 'read and written')
    for (const name of readdirSync(database)) look(join(database, name), constants.R_OK, 'read')
  }
  return findings
}

/** The same files under names of their own; copies where the file system knows no links. */
function linkFolder(folder: string, to: string): void {
  mkdirSync(join(to, 'db'), { recursive: true, mode: 0o750 })
  const put = (name: string): void => {
    try {
      linkSync(join(folder, name), join(to, name))
    } catch {
      copyFileSync(join(folder, name), join(to, name))
    }
  }
  if (existsSync(join(folder, 'card.json'))) put('card.json')
  const database = join(folder, 'db')
  if (!existsSync(database)) rmSync(join(to, 'db'), { recursive: true })
  else if (!lstatSync(database).isDirectory()) {
    rmSync(join(to, 'db'), { recursive: true })
    put('db')
  } else for (const name of readdirSync(database)) if (lstatSync(join(database, name)).isFile()) put(join('db', name))
}
