/**
 * A home for a store that is thrown away soon: the same LevelDB in a folder, but nothing waits for the disk. Every write is
 * in the files of the operating system when it returns, so that a copy of the folder has it; only the machine's own power
 * cut loses it.
 *
 * What it must never do: hold data that anybody wants tomorrow. Rehearsals of rules live here; a gateway never does.
 */
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { type Home, type Level, levelOptions } from './home.ts'

/** Of one owner who knows that nobody else has the folder: there is no lock but LevelDB's. */
export function fleetingHome(folder: string): Home {
  return {
    open: async () => {
      mkdirSync(folder, { recursive: true })
      const level = new ClassicLevel<Buffer, Buffer>(join(folder, 'db'), levelOptions)
      await level.open()
      return { level: unsynced(level), repaired: false }
    },
    settle: () => undefined,
    isFull: () => false,
    close: () => Promise.resolve(),
  }
}

function unsynced(level: ClassicLevel<Buffer, Buffer>): Level {
  return {
    getSync: level.getSync.bind(level),
    snapshot: level.snapshot.bind(level),
    iterator: level.iterator.bind(level),
    clear: level.clear.bind(level),
    close: level.close.bind(level),
    batch: () => {
      const batch = level.batch()
      const write = batch.write.bind(batch)
      batch.write = () => write({ sync: false })
      return batch
    },
  }
}
