/** What of a source's messages nobody can use: told in the log, each kind at most every ten minutes. Counted elsewhere. */
import type { Log } from '../../log.ts'
import { tellAgainMs } from '../limits.ts'

const topicCharactersMax = 256

export class Told {
  readonly #log: Log
  readonly #monotonicMs: () => number
  readonly #toldAtMs = new Map<string, number>()

  constructor(log: Log, monotonicMs: () => number) {
    this.#log = log
    this.#monotonicMs = monotonicMs
  }

  unwanted(topic: string): void {
    this.#tell(topic, {}, 'no route takes this topic: its messages are acknowledged and not stored')
  }

  tooLarge(topic: string, bytes: number): void {
    this.#tell(topic, { bytes }, 'a message is too large: it is acknowledged and not stored')
  }

  #tell(topic: string, fields: Readonly<Record<string, unknown>>, sentence: string): void {
    const nowMs = this.#monotonicMs()
    const lastMs = this.#toldAtMs.get(sentence)
    if (lastMs !== undefined && nowMs - lastMs < tellAgainMs) return
    this.#toldAtMs.set(sentence, nowMs)
    this.#log.warn({ topic: topic.slice(0, topicCharactersMax), ...fields }, sentence)
  }
}
