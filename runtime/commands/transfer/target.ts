/**
 * Where an export goes: standard output, or a file that is there only once it is whole and on disk. What it replaces
 * stays until then. A pipe or a device is written to as it is.
 */
import { open, rename, rm, stat } from 'node:fs/promises'
import { HoldfastError, messageOf } from '../../errors.ts'
import { writeOut } from '../rows.ts'

export type Target = {
  readonly isStandardOutput: boolean
  write(bytes: Uint8Array): Promise<void>
  finish(): Promise<void>
  /** Leaves nothing behind. */
  abandon(): Promise<void>
}

/** Throws FILE_UNWRITABLE, as do its methods. */
export async function openTarget(path: string): Promise<Target> {
  if (path === '-') {
    return { isStandardOutput: true, write: writeOut, finish: async () => undefined, abandon: async () => undefined }
  }
  const isPlain = await stat(path).then(
    found => found.isFile() || found.isDirectory(),
    () => true,
  )
  const partial = isPlain ? `${path}.partial` : path
  const attempt = async <Result>(work: () => Promise<Result>): Promise<Result> => {
    try {
      return await work()
    } catch (error) {
      throw unwritable(path, error)
    }
  }
  const file = await attempt(() => open(partial, 'w'))
  return {
    isStandardOutput: false,
    write: bytes => attempt(() => file.writeFile(bytes)),
    finish: () =>
      attempt(async () => {
        if (isPlain) await file.sync()
        await file.close()
        if (isPlain) await rename(partial, path)
      }),
    abandon: async () => {
      await file.close().catch(() => undefined)
      if (isPlain) await rm(partial, { force: true })
    },
  }
}

const unwritable = (path: string, error: unknown): HoldfastError =>
  new HoldfastError('FILE_UNWRITABLE', `${path} cannot be written: ${messageOf(error)}`, 'name another file', error)
