/**
 * Stands between the socket and mqtt.js, and takes the messages out of what the broker sends. mqtt.js answers each
 * message before it looks at the next, so its own acknowledgements, if they waited for our commit, would let one message
 * through per commit; and those of QoS 2 it gives before it hands the message over. So it connects, subscribes and
 * pings, and never sees a message: those are answered by taking.ts, once they are stored [I1].
 *
 * Promises: the order in which the broker sent is kept; while `onPackets` says that there is no room, nothing more is
 * read from the socket.
 */
import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'
import type { Inbound, InboundPackets } from './inbound.ts'

export type GuardEvents = {
  /** Messages and releases, in order. Returns false if nothing more may come until `resume`. */
  readonly onPackets: (packets: readonly Inbound[]) => boolean
}

export class Guard extends Duplex {
  readonly #socket: Socket

  constructor(socket: Socket, packets: InboundPackets, events: GuardEvents) {
    super({ allowHalfOpen: false })
    this.#socket = socket
    socket.on('data', chunk => {
      const found = packets.add(chunk)
      for (const packet of found) if (packet.kind === 'other') this.push(packet.bytes)
      const mine = found.filter(({ kind }) => kind !== 'other')
      if (mine.length > 0 && !events.onPackets(mine)) socket.pause()
    })
    socket.on('error', error => this.destroy(error))
    socket.on('end', () => this.push(null))
    socket.on('close', () => this.destroy())
  }

  /** There is room again. */
  readOn(): void {
    this.#socket.resume()
  }

  /** Answers to messages go out beside what mqtt.js writes. */
  answer(bytes: Buffer): void {
    if (this.#socket.writable) this.#socket.write(bytes)
  }

  /** Small packets: the broker's answers to us are the only thing that waits for them. */
  override _read(): void {}

  override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
    this.#socket.write(chunk)
    done()
  }

  /** mqtt.js corks what makes up a packet, so it comes here whole: no answer can come between its pieces. */
  override _writev(pieces: readonly { readonly chunk: Buffer }[], done: () => void): void {
    this.#socket.write(Buffer.concat(pieces.map(({ chunk }) => chunk)))
    done()
  }

  override _final(done: () => void): void {
    this.#socket.end(done)
  }

  override _destroy(error: Error | null, done: (error: Error | null) => void): void {
    this.#socket.destroy()
    done(error)
  }
}
