/** From a folder to a database whose tables are known: at the start, and after every failed write. */
import { randomUUID } from 'node:crypto'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Database } from './database.ts'
import { type Home, type Opened, openHome } from './home.ts'
import { loadDatabase } from './load.ts'
import { recover } from './mending/recover.ts'
import type { DamageReport } from './mending/report.ts'
import { isOfFormat1, migrate } from './migration.ts'
import type { StoreOptions } from './options.ts'
import { isCorruption } from './watched.ts'

export type OpenedDatabase = {
  readonly database: Database
  readonly repaired: boolean
  /** What was wrong with it. */
  readonly report: DamageReport | undefined
}

/**
 * Opens the database, brings it into order where it is damaged, and reads it. `suspects` are keys under which another
 * database of this folder has read damaged values. A handle that cannot be read is closed again: two at once would share
 * a lock [L8].
 */
export async function openDatabase(
  home: Home,
  options: StoreOptions,
  suspects: readonly Buffer[] = [],
): Promise<OpenedDatabase> {
  const open = async (isThorough: boolean): Promise<OpenedDatabase> =>
    load(home, options, await openInFormat(home, options, suspects, isThorough))
  try {
    return await open(false)
  } catch (error) {
    if (!isCorruption(error)) throw error
    // A quick look at the files has missed what the reading has met.
    return open(true)
  }
}

type InOrder = Opened & { readonly report: DamageReport | undefined }

/** What is damaged is brought into order, and what is of an older format into ours. */
async function openInFormat(
  home: Home,
  options: StoreOptions,
  suspects: readonly Buffer[],
  isThorough: boolean,
): Promise<InOrder> {
  const { log } = options
  const opened = await openInOrder(home, options, suspects, isThorough)
  try {
    if (!isOfFormat1(opened.level, log)) {
      await migrate(opened.level, log)
      return opened
    }
  } catch (error) {
    await opened.level.close()
    throw whyNotMigrated(home, error)
  }
  // A copy is one of files that nobody has open.
  await opened.level.close()
  if (home.keepOldCopy?.() === false) log.warn('there is no room to keep a copy of the database in its old format')
  const again = await openInOrder(home, options, [], isThorough)
  try {
    await migrate(again.level, log)
    return { ...again, repaired: opened.repaired || again.repaired, report: again.report ?? opened.report }
  } catch (error) {
    await again.level.close()
    throw whyNotMigrated(home, error)
  }
}

async function openInOrder(
  home: Home,
  options: StoreOptions,
  suspects: readonly Buffer[],
  isThorough: boolean,
): Promise<InOrder> {
  const opened = await home.open(isThorough)
  try {
    return { ...opened, report: await mend(home, options, opened, suspects) }
  } catch (error) {
    await opened.level.close()
    throw error
  }
}

async function mend(
  home: Home,
  { log, now, origin, randomId = randomUUID }: StoreOptions,
  { level, card, damages = [] }: Opened,
  suspects: readonly Buffer[],
): Promise<DamageReport | undefined> {
  const aside = home.putAside?.bind(home) ?? ((): string => '')
  const report = await recover({ level, card, damages, suspects, randomId, origin }, now(), aside)
  if (report !== undefined) log.error({ ...report }, 'the database was damaged, and has been mended')
  return report
}

async function load(home: Home, options: StoreOptions, opened: InOrder): Promise<OpenedDatabase> {
  const { level, repaired } = opened
  const { tables, log, randomId } = options
  let { report } = opened
  try {
    let database = await loadDatabase(level, tables, log, randomId, repaired || report !== undefined)
    if (database.suspects.size > 0) {
      report = (await mend(home, options, { ...opened, damages: [] }, [...database.suspects.values()])) ?? report
      database = await loadDatabase(level, tables, log, randomId, true)
    }
    home.settle(0)
    return { database, repaired: repaired || report !== undefined, report }
  } catch (error) {
    await level.close()
    throw error
  }
}

function whyNotMigrated(home: Home, error: unknown): unknown {
  const cause = messageOf((error as { cause?: unknown } | null)?.cause ?? error)
  if (!/no space left|ENOSPC/i.test(cause)) return error
  home.dropOldCopy?.('the disk is full')
  const hint = 'free some space and start again: it goes on where it was, and nothing is lost'
  return new HoldfastError(
    'STORE_FULL',
    'the disk is full, and the database cannot be brought to its new format',
    hint,
    error,
  )
}

/** The folder that the options name. */
export const openStoreHome = ({ path, ballastBytes, now, log, logRoomBytes }: StoreOptions): Promise<Home> =>
  openHome(path, ballastBytes, now, log, logRoomBytes)
