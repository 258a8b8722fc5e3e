/** From a folder to a database whose tables are known: at the start, and after every failed write. */
import type { Database } from './database.ts'
import type { Home } from './home.ts'
import { loadDatabase } from './load.ts'
import type { StoreOptions } from './options.ts'

/** Opens the database and reads it. A handle that cannot be read is closed again: two at once would share a lock [L8]. */
export async function openDatabase(
  home: Home,
  { tables, log, randomId }: StoreOptions,
): Promise<{ database: Database; repaired: boolean }> {
  const { level, repaired } = await home.open()
  try {
    const database = await loadDatabase(level, tables, log, randomId, repaired)
    home.settle()
    return { database, repaired }
  } catch (error) {
    await level.close()
    throw error
  }
}
