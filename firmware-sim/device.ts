/**
 * One pretend device: it measures, keeps what is not delivered, and looks after its one connection. It believes a
 * message delivered on PUBACK or PUBCOMP only ([MQTT-4.3.2-1], [MQTT-4.3.3-1]); what had no answer when a connection
 * ended goes again on the next one, oldest first, with the same id and time.
 *
 *   away --retry time--> connecting --CONNACK--> up --planned--> leaving --closed--> away
 *                             |                   +--cut, lost-----------------------> away
 *                             +--refused, silent-------------------------------------> away
 */
import { fraction, hashNumber, hashText } from './chance.ts'
import { Connection } from './connection.ts'
import type { Counts } from './counts.ts'
import type { Ledger } from './ledger.ts'
import type { Payload, Said, Voice } from './formats/format.ts'
import { formatNamed } from './formats/formats.ts'
import { copyOf, messagesBeside, readingMessage, type Message } from './message.ts'
import { createOutbox, type Outbox } from './outbox.ts'
import type { DevicePlan } from './plan.ts'
import { createSampler, type Sample, type Sampler } from './sampler.ts'

export type FleetEvent =
  | { kind: 'connected'; device: string }
  /** `reason` is empty where the device meant to go. */
  | { kind: 'disconnected'; device: string; reason: string }
  | { kind: 'connect-failed'; device: string; reason: string }
  | { kind: 'acknowledged'; device: string; message: Readonly<Message> }
  | { kind: 'dropped'; device: string; message: Readonly<Message> }

/** What a device shares with its fleet. */
export type Surroundings = {
  url: string
  seed: number
  startMs: number
  boot: string
  counts: Counts
  ledger: Ledger | undefined
  onEvent: ((event: FleetEvent) => void) | undefined
}

/** The waits between attempts to connect double from the first to the last, each a little off to spread a fleet. */
const retryFirstMs = 200
const retryLastMs = 5_000
/** A device that wants to leave cleanly waits this long for what is on its way. */
const leavePatienceMs = 2_000
/** And at the end of the fleet, which does not wait for long, this long for its farewell. */
const farewellMs = 500

type State = 'away' | 'connecting' | 'up' | 'leaving'

export class Device {
  readonly #plan: DevicePlan
  readonly #with: Surroundings
  readonly #voice: Voice
  readonly #outbox: Outbox<Message>
  readonly #sampler: Sampler
  readonly #dice: number
  #connection: Connection | undefined
  #state: State = 'away'
  #producing = true
  /** What was said beside readings on this connection, and is not acknowledged. */
  #announcing = 0
  /** What is still to be said before the connection ends as planned. */
  #farewell: readonly Said[] = []
  #connections = 0
  #failures = 0
  #awayUntilMs: number
  #awayMs = 0
  #reconnectAtMs: number
  #leaveByMs = 0
  #cutAtMs: number
  #nowMs: number

  constructor(plan: DevicePlan, surroundings: Surroundings, firstConnectMs: number) {
    this.#plan = plan
    this.#with = surroundings
    this.#voice = formatNamed(plan.payload).open({ ...plan, boot: surroundings.boot })
    this.#outbox = createOutbox(plan)
    this.#sampler = createSampler(plan, surroundings.seed, surroundings.startMs)
    this.#dice = hashText(surroundings.seed, `${plan.name}/connection`)
    this.#nowMs = surroundings.startMs
    this.#awayUntilMs = firstConnectMs
    this.#reconnectAtMs = this.#firstOf(plan.faults.reconnect, 1)
    this.#cutAtMs = this.#firstOf(plan.faults.cut, 2)
  }

  get connected(): boolean {
    return this.#state === 'up'
  }

  /** Nothing left to deliver. */
  get idle(): boolean {
    return this.#outbox.size() === 0
  }

  get missed(): number {
    return this.#sampler.missed()
  }

  /** Readings without an acknowledgement, not counting copies of those that have one. */
  outstanding(): number {
    const isOpen = (message: Message): boolean =>
      message.kind === 'reading' && !message.copy && (message.qos > 0 || message.sends === 0)
    return this.#outbox.all().filter(isOpen).length
  }

  /** Measures what is due and moves the connection on; the fleet calls this many times a second. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs
    if (this.#producing) for (const sample of this.#sampler.due(nowMs)) this.#take(sample)
    if (this.#state === 'up') this.#announce(this.#voice.manners?.tick?.(nowMs))
    this.#moveOn(nowMs)
    this.#pump()
  }

  /** No new readings and no new faults; what is in the outbox still goes out. */
  stopProducing(): void {
    this.#producing = false
  }

  /** Ends the connection, if there is one, and stays away. */
  leave(): void {
    this.#awayUntilMs = Number.POSITIVE_INFINITY
    this.#awayMs = Number.POSITIVE_INFINITY
    if (this.#state === 'up') this.#takeLeave(farewellMs)
    else if (this.#state === 'leaving') this.#leaveByMs = Math.min(this.#leaveByMs, this.#nowMs + farewellMs)
    else this.#connection?.cut()
  }

  get gone(): boolean {
    return this.#connection === undefined
  }

  #take(sample: Sample): void {
    const { counts, seed, onEvent } = this.#with
    const message = readingMessage(this.#plan, this.#voice, seed, sample)
    counts.readings += 1
    if (!this.#outbox.put(message)) {
      counts.dropped += 1
      onEvent?.({ kind: 'dropped', device: this.#plan.name, message })
    }
    for (const beside of messagesBeside(this.#plan, this.#voice, seed, sample, message)) {
      if (!this.#outbox.put(beside)) counts.faultsSkipped += 1
    }
  }

  #moveOn(nowMs: number): void {
    const { reconnect, cut } = this.#plan.faults
    switch (this.#state) {
      case 'away':
        if (nowMs >= this.#awayUntilMs) this.#connect()
        return
      case 'connecting':
        return
      case 'up':
        if (!this.#producing) return
        if (cut && nowMs >= this.#cutAtMs) {
          this.#cutAtMs = nowMs + cut.everyMs
          this.#awayMs = cut.awayMs
          this.#connection?.cut()
        } else if (reconnect && nowMs >= this.#reconnectAtMs) {
          this.#reconnectAtMs = nowMs + reconnect.everyMs
          this.#awayMs = reconnect.awayMs
          this.#takeLeave(leavePatienceMs)
        }
        return
      case 'leaving':
        this.#goOnLeaving(nowMs >= this.#leaveByMs)
        return
    }
  }

  #takeLeave(patienceMs: number): void {
    this.#state = 'leaving'
    this.#leaveByMs = this.#nowMs + patienceMs
    this.#farewell = this.#voice.manners?.farewell(this.#nowMs) ?? []
  }

  /** What is on its way arrives first, then the farewell; then the connection ends. */
  #goOnLeaving(isLate: boolean): void {
    if (!isLate && (this.#outbox.onTheirWay() > 0 || this.#announcing > 0)) return
    const farewell = isLate ? [] : this.#farewell
    this.#farewell = []
    if (farewell.length === 0) this.#connection?.leave()
    else this.#announce(farewell)
  }

  /** Said once, on this connection: what is lost with it is said anew on the next. */
  #announce(said: readonly Said[] = []): void {
    const connection = this.#connection
    if (!connection || said.length === 0) return
    const { counts } = this.#with
    const { qos } = this.#plan
    for (const { topic, payload, retain } of said) {
      counts.published += 1
      counts.announced += 1
      if (qos === 0) counts.sent += 1
      this.#announcing += 1
      const onDelivered = (): void => {
        this.#announcing -= 1
        if (qos > 0) counts.acknowledged += 1
      }
      connection.publish(topic, payload, qos, onDelivered, retain)
    }
  }

  #connect(): void {
    const { url, counts, onEvent } = this.#with
    const device = this.#plan.name
    let opened = false
    this.#state = 'connecting'
    this.#announcing = 0
    const { manners } = this.#voice
    const events = {
      onOpen: () => {
        opened = true
        counts.connections += 1
        if (this.#connections > 0) counts.reconnects += 1
        this.#connections += 1
        this.#failures = 0
        this.#state = 'up'
        onEvent?.({ kind: 'connected', device })
        this.#connection?.subscribe(manners?.listensTo ?? [])
        this.#announce(manners?.greeting(this.#nowMs))
        this.#pump()
      },
      onMessage: (topic: string, payload: Buffer) => {
        if (this.#state === 'up') this.#announce(manners?.answer?.(topic, payload, this.#nowMs))
        this.#pump()
      },
      onClosed: (reason: string) => {
        this.#connection = undefined
        this.#state = 'away'
        this.#outbox.connectionLost(message => message.qos > 0)
        if (!opened) counts.connectFailures += 1
        this.#awayUntilMs = this.#nowMs + (this.#awayMs || this.#retryMs())
        if (this.#awayMs !== Number.POSITIVE_INFINITY) this.#awayMs = 0
        onEvent?.({ kind: opened ? 'disconnected' : 'connect-failed', device, reason })
      },
    }
    this.#connection = new Connection(url, device, events, manners?.will(this.#nowMs))
  }

  #retryMs(): number {
    const waitMs = Math.min(retryLastMs, retryFirstMs * 2 ** this.#failures)
    this.#failures = Math.min(this.#failures + 1, 10)
    return waitMs * (0.75 + fraction(hashNumber(this.#dice, this.#connections * 100 + this.#failures)) / 2)
  }

  #pump(): void {
    const connection = this.#connection
    const { counts } = this.#with
    if (!connection) return
    while (this.#state === 'up' && this.#voice.manners?.isSilent?.() !== true) {
      const message = this.#outbox.take()
      if (!message) return
      counts.published += 1
      if (message.copy) counts.resentCopies += 1
      if (message.sends > 0) counts.resentUnacknowledged += 1
      if (message.copy || message.sends > 0) counts.resent += 1
      if (message.kind === 'garbage') counts.garbageSent += 1
      if (message.kind === 'chatter') counts.announced += 1
      message.sends += 1
      const payload = message.anew?.() ?? message.payload
      if (message.qos === 0) this.#handOver(connection, message, payload)
      else connection.publish(message.topic, payload, message.qos, () => this.#acknowledged(message))
    }
  }

  /** QoS 0 is at most once: counted when handed over, never sent again, yet in the window until the socket takes it. */
  #handOver(connection: Connection, message: Message, payload: Payload): void {
    this.#with.counts.sent += 1
    if (message.kind === 'reading') this.#with.counts.readingsSent += 1
    connection.publish(message.topic, payload, 0, () => {
      this.#outbox.delivered(message)
      this.#copy(message)
    })
  }

  #copy(message: Message): void {
    if (!message.goesAgain || !this.#producing) return
    if (!this.#outbox.put(copyOf(message))) this.#with.counts.faultsSkipped += 1
  }

  #acknowledged(message: Message): void {
    const { counts, ledger, onEvent } = this.#with
    this.#outbox.delivered(message)
    counts.acknowledged += 1
    if (message.kind === 'garbage') counts.garbageAcknowledged += 1
    if (message.kind === 'reading' && !message.copy) {
      counts.readingsAcknowledged += 1
      ledger?.write({
        device: this.#plan.name,
        metric: message.metric,
        id: message.id ?? null,
        time: message.timeMs ?? null,
        value: message.value ?? '',
        qos: message.qos,
      })
    }
    onEvent?.({ kind: 'acknowledged', device: this.#plan.name, message })
    this.#copy(message)
    this.#pump()
  }

  /** The first time of something that happens every so often, spread so that the fleet does not do it at once. */
  #firstOf(fault: { everyMs: number } | undefined, which: number): number {
    if (!fault) return Number.POSITIVE_INFINITY
    return this.#with.startMs + fault.everyMs * (0.5 + fraction(hashNumber(this.#dice, -which)) / 2)
  }
}
