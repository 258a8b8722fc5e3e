/**
 * The side of a connection that writes: a stream whose bytes go to the client's socket by the outlet, which knows when too
 * much waits, and for how long.
 */
import { Duplex } from 'node:stream'
import type { Crowd } from './crowd.ts'
import type { BrokerLimits } from './limits.ts'
import { Outlet } from './outlet.ts'
import { SentPackets, type Traffic } from './traffic.ts'
import type { Caller, Wire } from './wire.ts'

type Hall = { readonly limits: BrokerLimits; readonly crowd: Crowd; readonly traffic: Traffic }
type Written = (error: Error | null | undefined) => void

/** Towards aedes and towards the socket; one frame may go beyond it. */
const bufferBytesMax = 64 * 1024

/** Whoever does not read will not read why either. */
export const isOfSlowReader = (cause: string): boolean => cause === 'slow_reader' || cause.startsWith('waiting_bytes')

export abstract class Outward extends Duplex {
  readonly address: string
  /** As what its address is counted, with others that count as one. */
  readonly place: string
  /** The name in the client's certificate, where the listener asks for one. */
  readonly certificateName: string | undefined
  readonly #wire: Wire
  readonly #sent: SentPackets
  protected readonly outlet: Outlet

  protected constructor({ wire, address, place, certificateName }: Caller, hall: Hall) {
    super({ readableHighWaterMark: bufferBytesMax, writableHighWaterMark: bufferBytesMax })
    this.address = address
    this.place = place
    this.certificateName = certificateName
    this.#wire = wire
    this.#sent = new SentPackets(hall.traffic)
    this.outlet = new Outlet(this, wire, hall, () => this.hasRoomAgain())
  }

  abstract refuse(cause: string): void

  /** The socket was full and is not any more. */
  protected abstract hasRoomAgain(): void

  /** What waits in our memory for the client to read it. */
  get waitingBytes(): number {
    return this.writableLength + this.#wire.writableLength
  }

  override write(chunk: unknown, callback?: Written): boolean
  override write(chunk: unknown, encoding: BufferEncoding, callback?: Written): boolean
  override write(chunk: unknown, encoding?: BufferEncoding | Written, callback?: Written): boolean {
    const hasRoom = super.write(chunk, encoding as BufferEncoding, callback)
    if (!hasRoom) this.outlet.look()
    return hasRoom
  }

  override _write(chunk: Buffer, _encoding: BufferEncoding, callback: () => void): void {
    this.#sent.add(chunk)
    this.outlet.write(chunk, callback)
  }

  override _writev(chunks: readonly { chunk: Buffer }[], callback: () => void): void {
    // aedes writes a packet in pieces of a few bytes: one copy is far cheaper than a write for each.
    this._write(Buffer.concat(chunks.map(({ chunk }) => chunk)), 'binary', callback)
  }
}
