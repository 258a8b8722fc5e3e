/**
 * Remembers the verdicts on a topic by its raw bytes, so that a publish on a known topic makes no string.
 *
 * A table of fixed size with one place per hash: a topic that falls on a taken place takes it over. So it is bounded
 * without any upkeep, and the worst that crafted topics can do is to make it useless.
 */
import type { Intake } from './publish.ts'
import type { BrokerLimits } from './limits.ts'
import { type TopicFault, topicBytesFault } from './topics.ts'

export type Topic = {
  readonly bytes: Buffer
  readonly name: string
  readonly fault: TopicFault | undefined
  /** Is it a reading? */
  readonly wanted: boolean
  /** Does anybody subscribe to it? True only for the revision of subscriptions that it was asked at. */
  heard: boolean
  /** Does a session that is kept? At the same revision. */
  queued: boolean
  heardRevision: number
}

export class TopicCache {
  readonly #places: (Topic | undefined)[]
  readonly #mask: number
  readonly #limits: BrokerLimits
  readonly #wants: Intake['wants']

  constructor(limits: BrokerLimits, wants: Intake['wants']) {
    this.#places = Array.from({ length: limits.topicSlots }, () => undefined)
    this.#mask = limits.topicSlots - 1
    this.#limits = limits
    this.#wants = wants
  }

  /** The topic at `buffer[start..end)`. */
  find(buffer: Buffer, start: number, end: number): Topic {
    let hash = end - start
    for (let i = start; i < end; i++) hash = (Math.imul(hash, 31) + (buffer[i] ?? 0)) | 0
    const place = (hash ^ (hash >>> 15)) & this.#mask
    const known = this.#places[place]
    if (known !== undefined && holds(known.bytes, buffer, start, end)) return known
    const fresh = this.#judge(buffer.subarray(start, end))
    // A topic longer than allowed closes the connection: it is not worth the memory.
    if (fresh.fault !== 'topic_bytes') this.#places[place] = fresh
    return fresh
  }

  /** Routes changed: ask again about every topic. */
  clear(): void {
    this.#places.fill(undefined)
  }

  #judge(bytes: Buffer): Topic {
    const fault = topicBytesFault(bytes, this.#limits)
    const name = fault === 'topic_bytes' ? '' : bytes.toString('utf8')
    return {
      // A copy, because a slice would keep the whole chunk that it came in.
      bytes: Buffer.from(bytes),
      name,
      fault,
      wanted: fault === undefined && this.#wants(name),
      heard: false,
      queued: false,
      heardRevision: -1,
    }
  }
}

function holds(bytes: Buffer, buffer: Buffer, start: number, end: number): boolean {
  if (bytes.length !== end - start) return false
  for (let i = 0; i < bytes.length; i++) if (bytes[i] !== buffer[start + i]) return false
  return true
}
