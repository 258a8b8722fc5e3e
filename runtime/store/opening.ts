/** From a folder to a database whose tables are known: at the start, and after every failed write. */
import type { Database } from './database.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Home, type Opened, openHome } from './home.ts'
import { loadDatabase } from './load.ts'
import { isOfFormat1, migrate } from './migration.ts'
import type { StoreOptions } from './options.ts'

/** Brings it to our format first, if it is older. */
async function openInFormat(home: Home, log: Log): Promise<Opened> {
  const opened = await home.open()
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
  const again = await home.open()
  try {
    await migrate(again.level, log)
    return {
      ...again,
      repaired: opened.repaired || again.repaired,
      damages: [...(opened.damages ?? []), ...(again.damages ?? [])],
    }
  } catch (error) {
    await again.level.close()
    throw whyNotMigrated(home, error)
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

/** Opens the database and reads it. A handle that cannot be read is closed again: two at once would share a lock [L8]. */
export async function openDatabase(
  home: Home,
  { tables, log, randomId }: StoreOptions,
): Promise<{ database: Database; repaired: boolean }> {
  const { level, repaired } = await openInFormat(home, log)
  try {
    const database = await loadDatabase(level, tables, log, randomId, repaired)
    home.settle(0)
    return { database, repaired }
  } catch (error) {
    await level.close()
    throw error
  }
}

/** The folder that the options name. */
export const openStoreHome = ({ path, ballastBytes, now, log, logRoomBytes }: StoreOptions): Promise<Home> =>
  openHome(path, ballastBytes, now, log, logRoomBytes)
