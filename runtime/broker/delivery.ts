/**
 * What one client is sent: every PUBLISH, and the PUBREL of messages that were sent before. aedes says for whom a message
 * is; how it goes out is decided here.
 *
 * Promises: nothing before CONNACK [MQTT-3.2.0-1]; what is handed over is written in that order; `done` comes once the
 * socket has room again, or the client is gone, and never from within the call.
 */
import type { Duplex } from 'node:stream'
import { type Outgoing, encodePublish, encodePubrel } from './publish-form.ts'

const messageIdMax = 65_535

export class Delivery {
  readonly #stream: Duplex
  #isOpen = false
  #isCorked = false
  #messageId = 0
  #held: (() => void)[] = []
  #waiting: (() => void)[] = []

  constructor(stream: Duplex) {
    this.#stream = stream
    stream.once('close', () => this.open())
  }

  /** CONNACK was sent, or the client is gone: what was held goes on. */
  open(): void {
    this.#isOpen = true
    for (const go of this.#held.splice(0)) go()
    if (this.#stream.destroyed) this.#goOn()
  }

  /** Where its packet ids begin. */
  startAt(messageId: number): void {
    this.#messageId = messageId - 1
  }

  nextMessageId(): number {
    this.#messageId = (this.#messageId % messageIdMax) + 1
    return this.#messageId
  }

  publish(message: Outgoing, done: () => void): void {
    this.#send(() => encodePublish(message), done)
  }

  release(messageId: number, done: () => void): void {
    this.#send(() => encodePubrel(messageId), done)
  }

  #send(encode: () => Buffer, done: () => void): void {
    if (!this.#isOpen) {
      this.#held.push(() => this.#send(encode, done))
      return
    }
    if (this.#stream.destroyed) {
      setImmediate(done)
      return
    }
    this.#cork()
    if (this.#stream.write(encode())) {
      setImmediate(done)
      return
    }
    if (this.#waiting.push(done) === 1) this.#stream.once('drain', () => this.#goOn())
  }

  /** What one turn brings goes out in one write. */
  #cork(): void {
    if (this.#isCorked) return
    this.#isCorked = true
    this.#stream.cork()
    process.nextTick(() => {
      this.#isCorked = false
      this.#stream.uncork()
    })
  }

  #goOn(): void {
    for (const done of this.#waiting.splice(0)) setImmediate(done)
  }
}
