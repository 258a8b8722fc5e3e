/**
 * One TCP connection of one attacker. Promises that everything is counted once, that at most `heldBytesMax` wait to be
 * sent, and that nothing it meets is thrown.
 */
import { connect, type Socket } from 'node:net'
import { AnswerReader, nameOf } from './answers.ts'
import type { AttackCounts } from './counts.ts'

export type Target = {
  readonly host: string
  readonly port: number
  /** The address of this machine to connect from. */
  readonly from: string | undefined
}

/** More than any broker's largest packet that it is worth sending; a thousand attackers stay below a gigabyte. */
const heldBytesMax = 1024 * 1024

export class Wire {
  /** What an attack must remember of this connection. */
  step = 0
  isOpen = false
  isGone = false
  /** CONNACK came with code 0. */
  isWelcomed = false
  readonly #socket: Socket
  readonly #counts: AttackCounts

  constructor({ host, port, from }: Target, counts: AttackCounts) {
    this.#counts = counts
    const answers = new AnswerReader(answer => {
      const name = nameOf(answer)
      counts.answers[name] = (counts.answers[name] ?? 0) + 1
      if (name === 'connack 0') this.isWelcomed = true
    })
    const socket = connect({ host, port, noDelay: true, ...(from !== undefined && { localAddress: from }) })
    this.#socket = socket
    socket.on('connect', () => {
      this.isOpen = true
      counts.connections += 1
      counts.open += 1
    })
    socket.on('data', chunk => answers.read(chunk))
    socket.on('error', () => undefined) // `close` follows, and is counted
    socket.on('close', () => {
      if (this.isOpen) {
        counts.open -= 1
        if (!this.isGone) counts.closed += 1
      } else if (!this.isGone) {
        counts.connectFailures += 1
      }
      this.isOpen = false
      this.isGone = true
    })
  }

  /** Sends bytes that count as one packet, or as a piece of one. */
  send(bytes: Buffer, packets = 1): void {
    if (this.isGone) return
    if (this.#socket.writableLength > heldBytesMax) {
      this.#counts.heldBack += packets
      return
    }
    this.#counts.packets += packets
    this.#counts.bytes += bytes.length
    this.#socket.write(bytes)
  }

  /** Reads nothing any more: what is sent to us fills our window, then the other side's buffers. */
  stopReading(): void {
    this.#socket.pause()
  }

  /** Gone without a word: a reset, with nothing left in any buffer. */
  cut(): void {
    this.isGone = true
    this.#socket.resetAndDestroy()
  }

  /** Gone once what was sent has gone out. */
  end(): void {
    this.isGone = true
    this.#socket.destroySoon()
  }
}
