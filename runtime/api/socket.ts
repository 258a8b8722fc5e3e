/**
 * A server on a Unix socket that its owner alone may open.
 *
 * Promises: nobody else can connect, not even for the moment between making the socket and setting its mode. A socket
 * that a dead gateway left behind is removed; one that somebody answers on, or anything that is no socket, is not.
 */
import { lstatSync, unlinkSync } from 'node:fs'
import { connect, type Server } from 'node:net'
import { HoldfastError, messageOf, systemCode } from '../errors.ts'

/** How long a living gateway may take to accept. */
const answerMs = 1_000

/** Throws ADDRESS_IN_USE or ADDRESS_UNAVAILABLE. */
export async function listenOnSocket(server: Server, path: string): Promise<void> {
  await removeStale(path)
  await new Promise<void>((resolve, reject) => {
    const fail = (error: Error): void => reject(listenError(path, error))
    server.once('error', fail)
    // Node binds within this call, so the mask holds for the socket.
    const mask = process.umask(0o177)
    try {
      server.listen(path, () => {
        server.off('error', fail)
        resolve()
      })
    } finally {
      process.umask(mask)
    }
  })
}

async function removeStale(path: string): Promise<void> {
  try {
    if (!lstatSync(path).isSocket()) {
      throw new HoldfastError(
        'ADDRESS_UNAVAILABLE',
        `${path} is there and is not a socket`,
        'set api.socket to another path',
      )
    }
    if (await answers(path)) throw inUse(path)
    unlinkSync(path)
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return
    throw error instanceof HoldfastError ? error : listenError(path, error)
  }
}

/** Whether somebody listens. A listener that is too busy to accept is one too. */
function answers(path: string): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(path)
    const done = (answer: boolean): void => {
      socket.destroy()
      resolve(answer)
    }
    socket.setTimeout(answerMs, () => done(true))
    socket.once('connect', () => done(true))
    socket.once('error', error => done(!['ECONNREFUSED', 'ENOENT'].includes(systemCode(error) ?? '')))
  })
}

const inUse = (path: string): HoldfastError =>
  new HoldfastError(
    'ADDRESS_IN_USE',
    `another gateway answers on ${path}`,
    'stop it, or set api.socket to another path',
  )

function listenError(path: string, error: unknown): HoldfastError {
  if (systemCode(error) === 'EADDRINUSE') return inUse(path)
  return new HoldfastError(
    'ADDRESS_UNAVAILABLE',
    `the socket ${path} cannot be made: ${messageOf(error)}`,
    'set api.socket to a path that this user may write',
    error,
  )
}
