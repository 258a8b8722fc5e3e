/**
 * Topics that a broker has refused: they are left alone for a while, because a broker may close the connection over each
 * message, and trying at once would be a storm of reconnects. Bounded; the oldest is forgotten first.
 */
import { refusedTopicMs, refusedTopicsMax } from '../limits.ts'

export class RefusedTopics {
  readonly #untilMs = new Map<string, { readonly untilMs: number; readonly reason: string }>()

  refuse(topic: string, reason: string, nowMs: number): void {
    this.#untilMs.delete(topic)
    const oldest = this.#untilMs.keys().next()
    if (this.#untilMs.size >= refusedTopicsMax && oldest.done !== true) this.#untilMs.delete(oldest.value)
    this.#untilMs.set(topic, { untilMs: nowMs + refusedTopicMs, reason })
  }

  /** Why nothing goes to this topic now, or undefined if it may be tried. */
  reasonFor(topic: string, nowMs: number): string | undefined {
    const known = this.#untilMs.get(topic)
    if (known === undefined) return undefined
    if (nowMs < known.untilMs) return known.reason
    this.#untilMs.delete(topic)
    return undefined
  }
}
