/**
 * What a broker has sent us and has no answer for yet. One batch at a time is handed to the store, as one commit; what
 * comes meanwhile waits for the next. So the order is kept even if the store refuses, and answers go out in the order in
 * which the messages came [MQTT-4.6.0-2].
 *
 *   received ──> waiting ──> in hand (one commit) ──stored──> answered: PUBACK, PUBREC, PUBCOMP
 *                               └──refused──> nothing is answered; the connection ends; the broker sends it all again
 *
 * Promises: no answer before the commit [I1]. After a connection that broke, what the broker sends again and we have
 * stored without having answered it is answered, and not stored twice. With QoS 2 that holds over a kill of this process
 * too: the ids that are not released are part of the commit. (With QoS 1 an answer may be lost on its way; nobody can
 * tell such a message from a new one, unless the device has given it an id.)
 */
import { Arrivals } from './arrivals.ts'
import { messageOf } from '../../errors.ts'
import type { KeepChange } from '../../store/types.ts'
import type { Intake, Memory } from '../doors.ts'
import { unansweredBytesMax, unansweredMax } from '../limits.ts'
import type { Inbound } from './inbound.ts'
import type { Told } from './told.ts'

type Item = Exclude<Inbound, { kind: 'other' | 'fault' }>
type Waiting = { readonly item: Item; readonly atMs: number }
/** What became of an item of the batch in hand. */
type Outcome = { readonly item: Item; isDone: boolean; answer: Buffer | undefined }

export type TakingDoors = {
  readonly intake: Intake
  readonly memory: Pick<Memory, 'commit'>
  readonly wallMs: () => number
  readonly monotonicMs: () => number
  /** The store takes nothing: the connection is good for nothing now. */
  readonly onRefused: (reason: string) => void
  /** Something was stored. */
  readonly onStored: () => void
  /** There may be room again. */
  readonly onRoom: () => void
  readonly told: Pick<Told, 'unwanted' | 'tooLarge'>
}

export type TakingOptions = { readonly name: string; readonly retained: 'changed' | 'never' }

type TakingCounts = {
  readonly messages: number
  readonly bytes: number
  /** Sent again, and known to be stored. */
  readonly repeats: number
  /** Kept by the broker from before our subscription, and not wanted. */
  readonly retained: number
  /** No route takes their topic. */
  readonly unrouted: number
  readonly too_large: number
  /** Of QoS 0, and the store refused them: nobody sends them again. */
  readonly lost: number
}

export class Taking {
  readonly #options: TakingOptions
  readonly #owner: string
  readonly #doors: TakingDoors
  readonly #counts = { messages: 0, bytes: 0, repeats: 0, retained: 0, unrouted: 0, too_large: 0, lost: 0 }
  #waiting: Waiting[] = []
  #waitingBytes = 0
  #inHand: readonly Outcome[] | undefined
  #inHandBytes = 0
  #send: ((answers: Buffer) => void) | undefined
  /** Which connection it is: what is finished later must know whether it is still that one. */
  #connection = 0
  /** QoS 1: stored, and the connection was gone before the answer. */
  readonly #unanswered = new Set<number>()
  /** QoS 2: stored, and not released. Held on disk too. */
  readonly #unreleased: Set<number>
  readonly #arrivals = new Arrivals()
  #isStopped = false
  #whenIdle: (() => void)[] = []

  /** `unreleased` is what was kept under `owner` when we last ran. */
  constructor(options: TakingOptions, owner: string, unreleased: Iterable<number>, doors: TakingDoors) {
    this.#options = options
    this.#owner = owner
    this.#doors = doors
    this.#unreleased = new Set(unreleased)
  }

  get counts(): TakingCounts {
    return { ...this.#counts }
  }

  /** Messages that the broker waits for an answer of. */
  get unanswered(): number {
    return this.#waiting.length + (this.#inHand?.length ?? 0)
  }

  get hasRoom(): boolean {
    return this.unanswered < unansweredMax && this.#waitingBytes + this.#inHandBytes < unansweredBytesMax
  }

  /**
   * The broker has let us in. If it has not kept our session, its ids mean nothing any more: resolves when the disk knows
   * that too. What was received before waits for it.
   */
  async begin(isResumed: boolean, send: (answers: Buffer) => void): Promise<void> {
    const connection = this.#connection
    if (!isResumed) await this.#forgetSession()
    if (connection !== this.#connection) return
    this.#send = send
    this.#next()
  }

  /** Nothing more is handed over; what is in hand goes on. */
  stop(): void {
    this.#isStopped = true
  }

  /** The connection is gone. What waits will be sent again; what is in hand goes on. */
  end(): void {
    this.#connection++
    this.#send = undefined
    this.#waiting = []
    this.#waitingBytes = 0
  }

  receive(items: readonly Item[]): void {
    const atMs = this.#doors.monotonicMs()
    for (const item of items) {
      this.#waiting.push({ item, atMs })
      this.#waitingBytes += bytesOf(item)
    }
    this.#next()
  }

  /** Resolves once nothing is in hand. */
  idle(): Promise<void> {
    if (this.#inHand === undefined) return Promise.resolve()
    return new Promise(resolve => this.#whenIdle.push(resolve))
  }

  async #forgetSession(): Promise<void> {
    await this.idle()
    this.#unanswered.clear()
    if (this.#unreleased.size === 0) return
    const changes = [...this.#unreleased].map(id => this.#kept(id, undefined))
    this.#unreleased.clear()
    await this.#doors.memory.commit(changes)
  }

  #next(): void {
    if (this.#isStopped || this.#inHand !== undefined || this.#waiting.length === 0 || this.#send === undefined) return
    const batch = this.#waiting
    this.#waiting = []
    this.#inHandBytes = this.#waitingBytes
    this.#waitingBytes = 0
    const outcomes: Outcome[] = []
    this.#inHand = outcomes
    const connection = this.#connection
    let open = 1
    let refusal: string | undefined
    const done = (error?: Error): void => {
      if (error !== undefined) refusal ??= messageOf(error)
      if (--open === 0) this.#settled(outcomes, refusal, connection)
    }
    for (const waiting of batch) {
      const outcome: Outcome = { item: waiting.item, isDone: false, answer: answerTo(waiting.item) }
      outcomes.push(outcome)
      open++
      this.#handle(waiting, error => {
        outcome.isDone = error === undefined
        done(error)
      })
    }
    this.#doors.intake.flush()
    done()
  }

  #handle({ item, atMs }: Waiting, done: (error?: Error) => void): void {
    if (item.kind === 'release') return this.#release(item.id, done)
    if (item.kind === 'too-large') {
      this.#counts.too_large++
      this.#doors.told.tooLarge(item.topic, item.bytes)
      return done()
    }
    this.#counts.messages++
    this.#counts.bytes += item.payload.length
    if (this.#isKnown(item)) {
      this.#counts.repeats++
      return done()
    }
    const { intake, wallMs, monotonicMs } = this.#doors
    // What a gateway says of itself nobody else may say.
    if (item.topic.startsWith('holdfast/') || !intake.wants(item.topic)) {
      this.#counts.unrouted++
      this.#doors.told.unwanted(item.topic)
      return done()
    }
    if (item.isRetained && this.#options.retained === 'never') {
      this.#counts.retained++
      return done()
    }
    // The clock is looked at in the turn in which it is handed over: whether it can be trusted is asked there.
    const arrivalMs = this.#arrivals.at(wallMs() - (monotonicMs() - atMs))
    const { topic, payload, isRetained: retain, qos, id } = item
    const keep = qos === 2 ? [this.#kept(id, Buffer.from([1]))] : undefined
    const source = this.#options.name
    intake.accept({ client: `source:${source}`, source, topic, payload, retain, isOld: retain, arrivalMs, keep }, done)
  }

  #isKnown({ qos, id, isRepeat }: Item & { kind: 'message' }): boolean {
    if (qos === 2) return this.#unreleased.has(id)
    return qos === 1 && isRepeat && this.#unanswered.has(id)
  }

  /** The broker may use an id again once we have said so: by then the disk must have forgotten it. */
  #release(id: number, done: (error?: Error) => void): void {
    if (!this.#unreleased.has(id)) return done()
    this.#doors.memory.commit([this.#kept(id, undefined)]).then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }

  #settled(outcomes: readonly Outcome[], refusal: string | undefined, connection: number): void {
    this.#inHand = undefined
    this.#inHandBytes = 0
    const send = connection === this.#connection && refusal === undefined ? this.#send : undefined
    for (const { item, isDone } of outcomes) {
      if (item.kind === 'message' && item.qos === 0 && !isDone) this.#counts.lost++
      if (isDone) this.#remember(item, send !== undefined)
    }
    const answers = outcomes.flatMap(({ answer }) => answer ?? [])
    if (answers.length > 0) send?.(Buffer.concat(answers))
    for (const resolve of this.#whenIdle.splice(0)) resolve()
    if (refusal !== undefined) this.#doors.onRefused(refusal)
    else if (outcomes.length > 0) this.#doors.onStored()
    this.#next()
    if (this.hasRoom) this.#doors.onRoom()
  }

  #remember(item: Item, isAnswered: boolean): void {
    if (item.kind === 'release') this.#unreleased.delete(item.id)
    else if (item.qos === 2 && item.kind === 'message') this.#unreleased.add(item.id)
    else if (item.qos === 1 && isAnswered) this.#unanswered.delete(item.id)
    else if (item.qos === 1) this.#unanswered.add(item.id)
  }

  #kept(id: number, bytes: Buffer | undefined): KeepChange {
    return {
      kind: 'keep',
      owner: this.#owner,
      key: String(id),
      bytes,
      whenFull: bytes === undefined ? 'take' : 'refuse',
    }
  }
}

const bytesOf = (item: Item): number => (item.kind === 'message' ? item.payload.length + item.topic.length : 0)

const pubackByte = 0x40
const pubrecByte = 0x50
const pubcompByte = 0x70

/** The same four bytes in MQTT 3.1.1 and 5, where a reason that is left out is success [MQTT5-3.4.2.1]. */
function answerTo(item: Item): Buffer | undefined {
  if (item.kind === 'release') return answer(pubcompByte, item.id)
  if (item.qos === 0) return undefined
  return answer(item.qos === 1 ? pubackByte : pubrecByte, item.id)
}

const answer = (type: number, id: number): Buffer => Buffer.from([type, 2, id >> 8, id & 0xff])
