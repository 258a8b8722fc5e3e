/**
 * Reads what a broker answers, and holds next to nothing of it: the head of a packet is kept, the rest passes by. An
 * attacker that is sent gigabytes must not need them. Never throws: bytes that are no MQTT are counted as that.
 */
import { types } from './packets.ts'

export type Answer = { readonly type: number; readonly head: Buffer }

/** A CONNACK, an acknowledgement, and the codes of a SUBACK for 60 filters lie within it. */
const headBytesMax = 64
const lengthBytesMax = 4

export class AnswerReader {
  readonly #head = Buffer.alloc(headBytesMax)
  readonly #onAnswer: (answer: Answer) => void
  #type = 0
  #inHeader = false
  #lengthBytes = 0
  #remaining = 0
  #kept = 0
  #broken = false

  constructor(onAnswer: (answer: Answer) => void) {
    this.#onAnswer = onAnswer
  }

  read(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length && !this.#broken) {
      if (this.#type === 0) {
        this.#begin(chunk[at++] ?? 0)
      } else if (this.#inHeader) {
        this.#measure(chunk[at++] ?? 0)
      } else {
        const end = Math.min(chunk.length, at + this.#remaining)
        const keep = Math.min(end - at, headBytesMax - this.#kept)
        chunk.copy(this.#head, this.#kept, at, at + keep)
        this.#kept += keep
        this.#remaining -= end - at
        at = end
        if (this.#remaining === 0) this.#tell()
      }
    }
  }

  #begin(byte: number): void {
    this.#type = byte >> 4
    this.#inHeader = true
    this.#lengthBytes = 0
    this.#remaining = 0
    this.#kept = 0
    if (this.#type === 0) this.#break()
  }

  #measure(byte: number): void {
    this.#remaining += (byte & 0x7f) * 128 ** this.#lengthBytes
    this.#lengthBytes += 1
    if (byte >= 0x80) {
      if (this.#lengthBytes === lengthBytesMax) this.#break()
      return
    }
    this.#inHeader = false
    if (this.#remaining === 0) this.#tell()
  }

  #tell(): void {
    const type = this.#type
    this.#type = 0
    this.#onAnswer({ type, head: this.#head.subarray(0, this.#kept) })
  }

  #break(): void {
    this.#broken = true
    this.#onAnswer({ type: 0, head: this.#head.subarray(0, 0) })
  }
}

const names: Readonly<Record<number, string>> = Object.fromEntries(
  Object.entries(types).map(([name, type]) => [type, name]),
)

/** What to count an answer as: `connack 0`, `puback`, `suback refused`. */
export function nameOf({ type, head }: Answer): string {
  const name = names[type] ?? 'no MQTT'
  if (type === types.connack) return `${name} ${head[1] ?? ''}`
  if (type === types.suback) return head.length > 2 && (head[head.length - 1] ?? 0) >= 0x80 ? `${name} refused` : name
  return name
}
