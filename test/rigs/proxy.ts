/**
 * A TCP proxy whose link can be made bad on purpose: cut, half-open, slow, thin.
 *
 * Promises: bytes pass unchanged and in order as long as nothing is asked of it; what was swallowed by a stall is
 * never delivered later, as with a cable that was pulled. It must never answer in place of the target: a client that
 * gets through, got through to the target.
 */
import { createServer, connect, type AddressInfo, type Socket } from 'node:net'

export type Direction = 'up' | 'down' | 'both'

export type Proxy = {
  readonly port: number
  /** Bytes delivered to the target (up) and to the clients (down) so far. */
  readonly bytes: { readonly up: number; readonly down: number }
  /** Connections that are open right now. */
  readonly connections: number
  /** Resets every connection and refuses new ones, until `restore`. */
  cut(): void
  /** A good link again: no cut, no stall, no delay, no throttle. */
  restore(): void
  /** Half-open: bytes in that direction vanish, connections stay up, and nobody is told. New connections stall too. */
  stall(direction: Direction): void
  /** Every chunk, either way, arrives so much later. */
  delay(ms: number): void
  /** At most so many bytes a second, each way and each connection. */
  throttle(bytesPerSecond: number): void
  /** Resets every connection once; new ones are welcome. */
  dropConnections(): void
  close(): Promise<void>
}

type Link = { cut: boolean; stallUp: boolean; stallDown: boolean; delayMs: number; bytesPerSecond: number }
type Way = 'up' | 'down'

const goodLink: Link = { cut: false, stallUp: false, stallDown: false, delayMs: 0, bytesPerSecond: Infinity }
/** A throttled link gives its bytes in this many small steps a second. */
const stepsPerSecond = 20

export async function openProxy(options: { target: { host: string; port: number } }): Promise<Proxy> {
  const link = { ...goodLink }
  const bytes = { up: 0, down: 0 }
  const sockets = new Map<Socket, Socket>()

  const resetAll = (): void => {
    for (const [client, target] of sockets) {
      endHard(client)
      endHard(target)
    }
    sockets.clear()
  }

  const server = createServer({ allowHalfOpen: true }, client => {
    if (link.cut) {
      endHard(client)
      return
    }
    const target = connect({ ...options.target, allowHalfOpen: true })
    sockets.set(client, target)
    const forget = (): void => {
      sockets.delete(client)
    }
    carry(client, target, 'up', link, bytes, forget)
    carry(target, client, 'down', link, bytes, forget)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(0, '127.0.0.1', resolve)
  })
  const { port } = server.address() as AddressInfo

  return {
    port,
    bytes,
    get connections() {
      return sockets.size
    },
    cut() {
      link.cut = true
      resetAll()
    },
    restore() {
      Object.assign(link, goodLink)
    },
    stall(direction) {
      link.stallUp ||= direction !== 'down'
      link.stallDown ||= direction !== 'up'
    },
    delay(ms) {
      link.delayMs = ms
    },
    throttle(bytesPerSecond) {
      link.bytesPerSecond = bytesPerSecond
    },
    dropConnections: resetAll,
    close() {
      resetAll()
      return new Promise(resolve => server.close(() => resolve()))
    },
  }
}

/**
 * Moves one direction of one connection. Chunks are handed over strictly one after the other, so order holds whatever
 * delay and throttle do; meanwhile the source is paused, so the sender feels the thin link as back-pressure.
 */
function carry(from: Socket, to: Socket, way: Way, link: Link, bytes: Record<Way, number>, forget: () => void): void {
  const stalled = (): boolean => (way === 'up' ? link.stallUp : link.stallDown)
  let handed: Promise<void> = Promise.resolve()
  const afterAllHanded = (act: () => void): void => {
    handed = handed.then(act)
  }

  const deliver = async (chunk: Buffer): Promise<void> => {
    if (link.delayMs > 0) await sleep(link.delayMs)
    for (let offset = 0; offset < chunk.length && !to.destroyed; ) {
      const thin = Number.isFinite(link.bytesPerSecond)
      const size = thin ? Math.max(1, Math.ceil(link.bytesPerSecond / stepsPerSecond)) : chunk.length - offset
      const piece = chunk.subarray(offset, offset + size)
      offset += piece.length
      if (stalled()) continue
      bytes[way] += piece.length
      if (!to.write(piece)) await drained(to)
      if (thin) await sleep(1000 / stepsPerSecond)
    }
  }

  from.on('data', (chunk: Buffer) => {
    from.pause()
    handed = handed.then(() => deliver(chunk)).then(() => void from.resume())
  })
  // A peer that goes away during a stall must not be noticed on the other side: that is what half-open means.
  from.on('end', () => afterAllHanded(() => void (stalled() || to.destroyed || to.end())))
  from.on('error', () => {
    if (!stalled()) endHard(to)
    forget()
  })
  from.on('close', () => {
    if (to.destroyed) forget()
  })
}

const sleep = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

function drained(socket: Socket): Promise<void> {
  return new Promise(resolve => {
    const go = (): void => {
      socket.off('drain', go).off('close', go)
      resolve()
    }
    socket.once('drain', go).once('close', go)
  })
}

/** An RST, so that nobody takes the end for a peaceful one. On a socket that is ending or connecting, Node 20 hangs at exit after it. */
function endHard(socket: Socket): void {
  if (socket.writableEnded || socket.connecting) socket.destroy()
  else socket.resetAndDestroy()
}
