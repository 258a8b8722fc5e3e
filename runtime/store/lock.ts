/**
 * One owner per store folder [L8]. LevelDB's own lock is lost when the same process tries a second open, so we hold one
 * of our own: an abstract Unix socket named after the folder. The kernel frees it with the process, however that ends.
 */
import { createHash } from 'node:crypto'
import { type Server, createServer } from 'node:net'
import { HoldfastError, systemCode } from '../errors.ts'

export type Lock = { release(): Promise<void> }

/** Takes the folder (an absolute, resolved path). Throws STORE_LOCKED if another process, or this one, has it. */
export async function takeLock(folder: string): Promise<Lock> {
  const name = `\0holdfast-store-${createHash('sha256').update(folder).digest('hex').slice(0, 32)}`
  const server = createServer(socket => socket.destroy())
  await new Promise<void>((resolve, reject) => {
    server.once('error', error => reject(lockError(folder, error)))
    server.listen({ path: name }, resolve)
  })
  server.unref()
  return { release: () => closeServer(server) }
}

function lockError(folder: string, error: Error): Error {
  if (systemCode(error) !== 'EADDRINUSE') return error
  return new HoldfastError(
    'STORE_LOCKED',
    `the store at ${folder} is in use by another Holdfast`,
    'stop the other one, or set store.path to a folder of its own',
    error,
  )
}

function closeServer(server: Server): Promise<void> {
  return new Promise((resolve, reject) => server.close(error => (error ? reject(error) : resolve())))
}
