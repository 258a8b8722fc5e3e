/**
 * A copy of a database as it was before it was brought to a new format: `<path>/before-format-2`, a folder that an older
 * program opens in the place of `db`. Files of LevelDB that never change again are linked, so it takes neither time nor
 * space at first; space it takes as the new database writes its own.
 *
 * Promises: it has its name only once it is whole and durable; it goes by itself after some weeks, or when the disk is
 * nearly full: what is measured now comes before what has been kept twice.
 */
import {
  copyFileSync,
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { join } from 'node:path'
import type { Log } from '../log.ts'
import { systemCode } from '../errors.ts'
import { syncFolder, syncPath } from './folder.ts'

const copyName = 'before-format-2'
const madeName = 'made'
/** Long enough to notice that the new version is nothing for one, and to go back. */
const keptMs = 28 * 86_400_000

/** Copies the closed database in `<folder>/db`. False if there is no room for the two of them. */
export function keepOldCopy(folder: string, nowMs: number, freeBytes: number): boolean {
  const copy = join(folder, copyName)
  if (existsSync(copy)) return true
  const database = join(folder, 'db')
  const names = readdirSync(database).filter(name => !/^LO(CK|G)/.test(name))
  const bytes = names.reduce((sum, name) => sum + statSync(join(database, name)).size, 0)
  if (freeBytes < bytes) return false
  const aside = `${copy}.new`
  rmSync(aside, { recursive: true, force: true })
  mkdirSync(aside, { mode: 0o750 })
  for (const name of names) linkOrCopy(join(database, name), join(aside, name))
  writeFileSync(join(aside, madeName), `${nowMs}\n`)
  syncFolder(aside)
  renameSync(aside, copy)
  syncPath(folder)
  return true
}

/** Tables are never written again; everything else is. A file system without links gets copies. */
function linkOrCopy(from: string, to: string): void {
  if (!/\.(ldb|sst)$/.test(from)) return copyFileSync(from, to)
  try {
    linkSync(from, to)
  } catch (error) {
    if (!['EPERM', 'EXDEV', 'EMLINK', 'ENOSYS', 'ENOTSUP', 'EOPNOTSUPP'].includes(systemCode(error) ?? '')) throw error
    copyFileSync(from, to)
  }
}

/** Removes a copy that has had its time. */
export function dropOldCopyInTime(folder: string, nowMs: number, log: Log): void {
  const copy = join(folder, copyName)
  const made = statSync(join(copy, madeName), { throwIfNoEntry: false })
  if (made !== undefined && nowMs - made.mtimeMs > keptMs) dropOldCopy(folder, log, 'it has been kept for four weeks')
}

/** True if there was one. */
export function dropOldCopy(folder: string, log: Log, reason: string): boolean {
  const copy = join(folder, copyName)
  rmSync(`${copy}.new`, { recursive: true, force: true })
  if (!existsSync(copy)) return false
  // Half of it must not look like a whole one.
  renameSync(copy, `${copy}.new`)
  rmSync(`${copy}.new`, { recursive: true, force: true })
  log.warn({ folder: copy, reason }, 'the copy of the database in its old format is removed')
  return true
}
