/**
 * Topics that the far side's access rules keep from us. With MQTT 5 the answer says so (135). With 3.1.1 a broker closes
 * the connection, before the acknowledgement or right after it, so that a program that just connects again storms it for
 * ever. Pure: time comes in.
 *
 *   open ──closed twice in a row, within a second of a first publish──> careful ──the link has held──> open
 *
 * Careful: a connection begins with a second of quiet; then one topic that is not proven is on trial at a time, and
 * nothing else is published until a second after its acknowledgement. If the far side closes in good order on the heels
 * of that publish, three times, it is this topic: it is stayed away from, with pauses that grow. All others go on. (With
 * more on its way than that one publish, a close in good order would look like a link that broke.)
 *
 * A link that is cut says nothing about topics: one that ends in its second of quiet ends all suspicion, and a trial that
 * ends neither at once nor well proves nothing. What the hub itself has answered is proven.
 */
export type DeniedTopic = { readonly topic: string; readonly reason: string; readonly nextTryInMs: number }

/** Whether a message may be sent on this topic: now, later (another topic is on trial), or not for a long while. */
export type Permission = 'now' | 'later' | 'never'

/** The reason code of MQTT 5 for "Not authorized". */
export const notAuthorizedCode = 135
export const quietMs = 1_000
/** A topic that was published to so long ago, on a connection that lives, is let through. */
export const graceMs = 1_000
/** The close is sent right behind the acknowledgement: the way is the same, so the distance is. */
const heelsMs = 300
/** A trial without an acknowledgement is given up: everything else waits for it. */
const trialMs = 5_000
const endsUntilCareful = 2
const endsUntilDenied = 3
const pauseFirstMs = 60_000
const pauseMaxMs = 3_600_000
/** Topics that are remembered, of each kind: a bridge has one for each stream and a few more; a template may make more. */
const topicsMax = 10_000

type Denied = { readonly reason: string; readonly times: number; readonly untilMs: number }
type Trial = { readonly topic: string; readonly sentMs: number; ackedMs: number | undefined }

export type BreakerEvents = {
  readonly onDenied: (topic: string, reason: string) => void
  readonly onAllowed: (topic: string) => void
}

export class Breaker {
  readonly #events: BreakerEvents
  #isCareful = false
  #endsInARow = 0
  #quietUntilMs = 0
  #trial: Trial | undefined
  /** A topic that is to be tried as soon as nothing is on its way. */
  #next: string | undefined
  readonly #proven = new Set<string>()
  /** How often a connection ended on the heels of a trial of this topic. */
  readonly #ends = new Map<string, number>()
  readonly #denied = new Map<string, Denied>()
  /** When each topic was first published to on this connection. */
  readonly #first = new Map<string, number>()

  constructor(events: BreakerEvents) {
    this.#events = events
  }

  /** A connection is up. */
  began(nowMs: number): void {
    this.#quietUntilMs = this.#isCareful ? nowMs + quietMs : nowMs
  }

  /** `isIdle` if no message is on its way. */
  permission(topic: string, nowMs: number, isIdle: boolean): Permission {
    if (this.isDenied(topic, nowMs)) return 'never'
    if (this.#trial !== undefined) return 'later'
    if (!this.#needsTrial(topic)) return this.#next === undefined ? 'now' : 'later'
    if (nowMs < this.#quietUntilMs) return 'later'
    this.#next ??= topic
    return isIdle && this.#next === topic ? 'now' : 'later'
  }

  isDenied(topic: string, nowMs: number): boolean {
    const denied = this.#denied.get(topic)
    return denied !== undefined && nowMs < denied.untilMs
  }

  published(topic: string, nowMs: number): void {
    if (this.#needsTrial(topic)) {
      this.#trial = { topic, sentMs: nowMs, ackedMs: undefined }
      this.#next = undefined
    }
    if (!this.#first.has(topic) && this.#first.size < topicsMax) this.#first.set(topic, nowMs)
  }

  /** The hub has answered what was published there. */
  answered(topic: string): void {
    this.#first.delete(topic)
    if (this.#trial?.topic === topic) this.#passed(topic)
    else if (!this.#proven.has(topic)) this.#prove(topic)
  }

  acknowledged(topic: string, code: number | undefined, nowMs: number): void {
    if (code === notAuthorizedCode) this.#deny(topic, 'the broker says "not authorized"', nowMs)
    else if (this.#trial?.topic === topic) this.#trial.ackedMs ??= nowMs
  }

  /** How long until `tick` has something to decide; undefined if nothing waits for it. */
  dueInMs(nowMs: number): number | undefined {
    if (nowMs < this.#quietUntilMs) return this.#quietUntilMs - nowMs
    if (this.#trial === undefined) return undefined
    const { sentMs, ackedMs } = this.#trial
    return Math.max(0, (ackedMs === undefined ? sentMs + trialMs : ackedMs + graceMs) - nowMs)
  }

  /** The quiet or a trial may be over: then what waited may be sent. */
  tick(nowMs: number): void {
    const trial = this.#trial
    if (trial === undefined || this.dueInMs(nowMs) !== 0) return
    if (trial.ackedMs === undefined) this.#trial = undefined
    else this.#passed(trial.topic)
  }

  /**
   * A connection that was up was ended by the far side, in good order or not. True if that may have been because of what
   * was published.
   */
  closed(inOrder: boolean, nowMs: number): boolean {
    const trial = this.#trial
    const first = [...this.#first]
    const isQuiet = nowMs < this.#quietUntilMs
    this.#reset()
    for (const [topic, ms] of first) if (nowMs - ms > graceMs && topic !== trial?.topic) this.#prove(topic)
    if (isQuiet) {
      this.settled()
      return false
    }
    if (trial !== undefined) {
      const isOnItsHeels = inOrder && (trial.ackedMs === undefined || nowMs - trial.ackedMs <= heelsMs)
      if (isOnItsHeels) this.#endedOn(trial.topic, nowMs)
      return isOnItsHeels
    }
    const suspects = first.filter(([, ms]) => nowMs - ms <= graceMs)
    if (suspects.length === 0) return false
    if (++this.#endsInARow < endsUntilCareful) return true
    this.#isCareful = true
    for (const [topic] of suspects) this.#proven.delete(topic)
    return true
  }

  /** It ended in another way: the network, or we ourselves. */
  lost(): void {
    this.#reset()
  }

  /** The link has held: whatever ended it before is over. */
  settled(): void {
    this.#isCareful = false
    this.#endsInARow = 0
    this.#ends.clear()
  }

  status(nowMs: number): DeniedTopic[] {
    return [...this.#denied].map(([topic, { reason, untilMs }]) => {
      return { topic, reason, nextTryInMs: Math.max(0, untilMs - nowMs) }
    })
  }

  #needsTrial(topic: string): boolean {
    return this.#denied.has(topic) || (this.#isCareful && !this.#proven.has(topic))
  }

  #passed(topic: string): void {
    this.#trial = undefined
    this.#prove(topic)
    if (this.#denied.delete(topic)) this.#events.onAllowed(topic)
  }

  #reset(): void {
    this.#trial = undefined
    this.#next = undefined
    this.#first.clear()
  }

  #prove(topic: string): void {
    this.#ends.delete(topic)
    if (this.#proven.size >= topicsMax) this.#proven.clear()
    this.#proven.add(topic)
  }

  #endedOn(topic: string, nowMs: number): void {
    const ends = (this.#ends.get(topic) ?? 0) + 1
    this.#ends.set(topic, ends)
    if (!this.#denied.has(topic) && ends < endsUntilDenied) return
    this.#deny(topic, 'the broker closes the connection whenever we publish to it', nowMs)
  }

  #deny(topic: string, why: string, nowMs: number): void {
    const times = (this.#denied.get(topic)?.times ?? 0) + 1
    this.#ends.delete(topic)
    this.#proven.delete(topic)
    if (this.#trial?.topic === topic) this.#trial = undefined
    if (times === 1 && this.#denied.size >= topicsMax) return
    const reason = `${why}: let this user write to ${topic} in the broker's access rules`
    this.#denied.set(topic, { reason, times, untilMs: nowMs + Math.min(pauseFirstMs * 2 ** (times - 1), pauseMaxMs) })
    if (times === 1) this.#events.onDenied(topic, reason)
  }
}
