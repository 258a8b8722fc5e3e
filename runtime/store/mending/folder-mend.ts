/**
 * Mends the files of a LevelDB that nobody has open, so that it opens and gives everything that is whole, and nothing
 * else. What was there goes to the quarantine first. Interrupted anywhere, it is done again at the next opening.
 */
import { accessSync, constants, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ClassicLevel } from 'classic-level'
import { syncFolder, syncPath } from '../folder.ts'
import { readFound, withReader, writeWhole } from './files.ts'
import type { Fault } from './folder-check.ts'
import { readFramedLog, writeFramedLog } from './framed-log.ts'
import type { Kept, Quarantine } from './quarantine.ts'
import { checkTable, readBlock, readEntries } from './table-file.ts'
import { type LostKeys, mendTable } from './table-mend.ts'

/** One thing that was wrong, and what it cost. */
export type Damage = {
  readonly file: string
  readonly what: string
  readonly deed: string
  /** Keys that may have been there; undefined where nobody can tell: any may be gone. */
  readonly lost: readonly LostKeys[] | undefined
  /** True if the newest writes may be among them. */
  readonly isEndLost: boolean
}

/** Mends what `checkFolder` found. The folder is the database's own. */
export async function mendFolder(
  folder: string,
  faults: readonly Fault[],
  quarantine: Quarantine,
  cause: string,
): Promise<Damage[]> {
  const files: Kept[] = []
  const works: (() => void)[] = []
  const damages: Damage[] = []
  let isRebuilt = false
  for (const fault of faults) {
    const path = join(folder, fault.file)
    const found =
      fault.kind !== 'gone' && fault.kind !== 'no-folder' && existsSync(path) ? readFound(path).bytes : undefined
    if (found !== undefined) files.push({ name: fault.file, bytes: found })
    const one = plan(fault, path, found)
    if (one.work !== undefined) works.push(one.work)
    if (one.isRebuilt) isRebuilt = true
    damages.push(one.damage)
  }
  const isNothing = faults.some(({ kind }) => kind === 'no-folder' || kind === 'gone')
  quarantine.put(files, { cause, damages: damages.map(damageForm) })
  for (const work of works) work()
  if (isNothing) putAside(folder)
  else if (isRebuilt) await rebuild(folder)
  return damages
}

/** Nothing else has helped: the database begins anew, and what was there is kept beside it, the newest time only. */
export function putAside(folder: string): void {
  const aside = join(dirname(folder), `${basename(folder)}.unreadable`)
  rmSync(aside, { recursive: true, force: true })
  if (existsSync(folder)) renameSync(folder, aside)
  syncPath(dirname(folder))
}

/** LevelDB looks for itself which files belong together; what it takes out of them it puts in `lost`, which we have. */
export async function rebuild(folder: string): Promise<void> {
  for (const name of readdirSync(folder)) {
    // A table without a single entry ends LevelDB's repair with an assertion, and the process with it.
    if (/^\d+\.(ldb|sst)$/.test(name) && isWithoutEntries(join(folder, name))) rmSync(join(folder, name))
  }
  await ClassicLevel.repair(folder)
  rmSync(join(folder, 'lost'), { recursive: true, force: true })
  syncFolder(folder)
}

const isWithoutEntries = (path: string): boolean =>
  withReader(path, (read, length) => {
    const { index } = checkTable(read, length, false)
    const blocks = index?.map(({ handle }) => readBlock(read, handle))
    return !blocks?.some(block => block && (readEntries(block)?.length ?? 0) > 0)
  })

type Plan = { readonly damage: Damage; readonly work?: () => void; readonly isRebuilt?: boolean }

function plan(fault: Fault, path: string, found: Buffer | undefined): Plan {
  const told = { file: fault.file, what: fault.what, lost: [] as readonly LostKeys[], isEndLost: false }
  switch (fault.kind) {
    case 'gone':
    case 'no-folder':
      return { damage: { ...told, deed: 'a new database is made', lost: undefined, isEndLost: true } }
    case 'log-gone':
      return { damage: { ...told, deed: 'nothing can be done about it', lost: undefined, isEndLost: true } }
    case 'table': {
      const mended = mendTable(found ?? Buffer.alloc(0), fault.bounds)
      const deed =
        mended.lost.length === 0 && mended.blocksLost === 0
          ? 'it is mended, nothing is lost'
          : `${mended.blocksKept} whole blocks are kept`
      return {
        damage: { ...told, deed, lost: mended.lost },
        work: () => writeWhole(path, mended.bytes),
        // The MANIFEST names another size now.
        isRebuilt: mended.bytes.length !== fault.bounds.bytes,
      }
    }
    case 'log': {
      const { records } = readFramedLog(found ?? Buffer.alloc(0))
      return {
        damage: {
          ...told,
          deed: `${records.length} whole writes are kept`,
          lost: fault.bytes === 0 ? [] : undefined,
          isEndLost: fault.isEndLost,
        },
        work: () => writeWhole(path, writeFramedLog(records)),
      }
    }
    case 'current':
      return {
        damage: { ...told, deed: 'it is written anew' },
        work: () => writeWhole(path, Buffer.from(`${fault.manifest}\n`)),
      }
    case 'manifest-end': {
      const { records } = readFramedLog(found ?? Buffer.alloc(0))
      return {
        damage: { ...told, deed: 'its end is cut off; nothing is lost' },
        work: () => writeWhole(path, writeFramedLog(records)),
      }
    }
    case 'manifest':
      return {
        damage: { ...told, deed: 'the list of files is made anew from the files' },
        isRebuilt: true,
      }
  }
}

/** As it stands in a report. */
export function damageForm({ file, what, deed, lost, isEndLost }: Damage): object {
  const hex = (key: Buffer | undefined): string | null => key?.toString('hex') ?? null
  return {
    file,
    what,
    deed,
    lost_keys: lost?.map(({ after, upTo }) => ({ after: hex(after), up_to: hex(upTo) })) ?? 'unknown',
    newest_writes_lost: isEndLost,
  }
}

/**
 * Strays of a mending that was cut, and a lock file that somebody else has left: it is made anew at every opening, and
 * another owner is kept out by a lock of our own [L8].
 */
export function sweepStrays(folder: string): void {
  for (const name of readdirSync(folder)) if (name.endsWith('.mend')) rmSync(join(folder, name), { force: true })
  const lock = join(folder, 'LOCK')
  try {
    if (existsSync(lock)) accessSync(lock, constants.W_OK)
  } catch {
    rmSync(lock, { force: true, recursive: true })
  }
}
