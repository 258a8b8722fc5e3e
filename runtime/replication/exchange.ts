/**
 * All streams with one peer: a sender for each table that goes there, a receiver for each that comes from there. Both
 * ends of a bridge have one; only who dials and how messages travel differs.
 *
 * Promises: lanes (lanes.ts) are offered each free place in the window in their order, and readings leave two places
 * free; of the lower lanes little is on the road at a time (road.ts), so that an alert never waits behind a backlog.
 * Between conversations it holds nothing but counts.
 */
import { messageOf } from '../errors.ts'
import {
  deadMs,
  messageOverheadBytes,
  tickMs,
  windowBytesMax,
  windowFramesForReadings,
  windowFramesMax,
} from './limits.ts'
import { isNeverHeld, rankOf } from './lanes/lanes.ts'
import { decodeAsk, decodePosition } from './wire/messages.ts'
import type { Continues, StreamMessage, StreamPending } from './wire/protocol.ts'
import type { Range } from './wire/place.ts'
import type { Receiver } from './receive/receiver.ts'
import type { Sender } from './send/sender.ts'
import type { Doors, Session, StreamStatus } from './stream.ts'
import { silentTakes } from './wire/takes.ts'
import { Traffic } from './lanes/traffic.ts'
import type { Valve } from './lanes/valve.ts'
import type { Seq } from '../store/types.ts'

export type ExchangeStart = {
  readonly session: Session
  /** Where the far side stands with each table that we send; a table without one starts when the far side tells. */
  readonly positions: ReadonlyMap<string, Seq>
  /** What it has beyond that, of tables that it takes before their turn. */
  readonly ahead?: ReadonlyMap<string, readonly Range[]>
  /** The epoch of each table that the far side sends. */
  readonly epochs: ReadonlyMap<string, string>
  /** Of those of them that go on with another stream, that one. */
  readonly continues?: ReadonlyMap<string, Continues> | undefined
  /** The tables that we send of which the far side knows what they continue; and those of which it wants all back. */
  readonly continued?: ReadonlySet<string> | undefined
  readonly back?: ReadonlySet<string> | undefined
  /** The latest wall time that can be believed. */
  readonly believedMs: () => number
}

/** No peer has this name: nothing came from it. */
const nobody = '\0'

export class Exchange {
  readonly #senders: readonly Sender[]
  readonly #receivers: ReadonlyMap<string, Receiver>
  readonly #doors: Doors
  readonly #onSilence: () => void
  readonly #valve: Valve | undefined
  #traffic: Traffic
  #session: Session | undefined
  #stop = new AbortController()
  #wake: () => void = () => {}
  #isWoken = false
  #heardAtMs = 0
  #cancelTick: () => void = () => {}
  readonly #watched = new Set<Sender>()
  refused = 0

  /** `onSilence` is called when the far side has said nothing for 30 s although something waits for its answer. */
  constructor(
    senders: readonly Sender[],
    receivers: readonly Receiver[],
    doors: Doors,
    onSilence: () => void,
    valve?: Valve,
  ) {
    this.#senders = senders
    for (const sender of senders) sender.onReady = () => this.#rouse()
    this.#valve = valve
    if (valve !== undefined) valve.onRoom = () => this.#rouse()
    this.#receivers = new Map(receivers.map(receiver => [receiver.options.table, receiver]))
    this.#doors = doors
    this.#traffic = new Traffic(undefined, doors.time.monotonicMs)
    this.#onSilence = onSilence
  }

  get session(): Session | undefined {
    return this.#session
  }

  get heardAtMs(): number {
    return this.#heardAtMs
  }

  position(table: string): Seq | undefined {
    return this.#receivers.get(table)?.position
  }

  /** What a receiver has beyond its position. */
  ahead(table: string): readonly Range[] {
    return this.#receivers.get(table)?.place.ahead ?? []
  }

  epoch(table: string): string | undefined {
    return this.#senders.find(sender => sender.options.table === table)?.epoch
  }

  /** The stream that a table goes on with that we send. */
  continues(table: string): Continues | undefined {
    return this.#senders.find(sender => sender.options.table === table)?.bookmark.continues
  }

  /** Shall the far side send back what came from here? */
  wantsBack(table: string): boolean {
    return this.#receivers.get(table)?.wantsBack === true
  }

  /** A conversation starts; the one before must have ended. */
  begin(start: ExchangeStart): void {
    const { session: given, positions, ahead, epochs, believedMs } = start
    const session = this.#counted(given)
    this.#session = session
    this.#traffic = new Traffic(session.quietMs, this.#doors.time.monotonicMs)
    this.#stop = new AbortController()
    this.#heardAtMs = this.#doors.time.monotonicMs()
    for (const [table, receiver] of this.#receivers) {
      const epoch = epochs.get(table)
      if (epoch !== undefined) receiver.begin(session, epoch, believedMs, start.continues?.get(table))
    }
    for (const sender of this.#senders) {
      const { table } = sender.options
      sender.bookmark.isContinued = start.continued?.has(table) === true
      const toAll = start.back?.has(table) === true ? { ...session, peer: nobody } : session
      sender.begin(toAll, positions.get(table), ahead?.get(table))
    }
    this.#pump(this.#stop.signal).catch((error: unknown) => {
      this.#doors.log.error({ reason: messageOf(error) }, 'nothing more is sent in this conversation')
    })
    this.lookAtOldest()
    this.#cancelTick = this.#doors.time.after(tickMs, () => this.#tick())
  }

  /** The session, with an account of what is handed to it, and of what of it is still on the road. */
  #counted(session: Session): Session {
    return {
      ...session,
      post: (name, table, payload) => {
        const bytes = payload.length + messageOverheadBytes
        this.#valve?.spent(bytes)
        if (name !== 'entries') return session.post(name, table, payload)
        if (session.tellsGone !== true) {
          this.#traffic.sent(table, payload)
          return session.post(name, table, payload)
        }
        const gone = this.#traffic.handedOver(payload)
        session.post(name, table, payload, () => {
          if (this.#session?.id !== session.id) return
          gone()
          this.#rouse()
        })
      },
    }
  }

  /**
   * Ends the conversation; resolves when nothing of it is on its way to the disk any more. A read that is under way is
   * not waited for, because a failed disk may never answer it: what it brings is dropped.
   */
  async end(): Promise<void> {
    this.#session = undefined
    this.#stop.abort()
    this.#cancelTick()
    this.#rouse()
    for (const sender of this.#senders) sender.end()
    await Promise.all([...this.#receivers.values()].map(receiver => receiver.end()))
  }

  /** Tells the far side where all receivers are. */
  announce(): void {
    for (const receiver of this.#receivers.values()) receiver.announce()
  }

  handle(name: StreamMessage, table: string, payload: Buffer): void {
    const session = this.#session
    if (session === undefined) return
    this.#heardAtMs = this.#doors.time.monotonicMs()
    const sender = this.#senders.find(one => one.options.table === table)
    const receiver = this.#receivers.get(table)
    if (name === 'entries' && receiver !== undefined) return receiver.frame(payload)
    if (name === 'position' && sender !== undefined) {
      const decoded = decodePosition(payload)
      if (decoded.ok && decoded.value.session === session.id) {
        const { heard, unreadable } = decoded.value
        const sum = heard ?? unreadable?.sum
        if (sum !== undefined) this.#traffic.heard(table, sum)
        sender.position(decoded.value)
        this.#traffic.answered()
        this.#lookAtRoad()
        return this.#rouse()
      }
    }
    if (name === 'ask' && receiver !== undefined) {
      const decoded = decodeAsk(payload)
      if (decoded.ok && decoded.value.session === session.id) return receiver.asked(decoded.value)
    }
    this.refused++
  }

  /** What no sender waits for any more is not on the road. */
  #lookAtRoad(): void {
    for (const { options, flyingBytes } of this.#senders) this.#traffic.waitingFor(options.table, flyingBytes)
    if (this.#senders.every(one => one.flyingFrames === 0)) this.#traffic.clear()
  }

  status(): StreamStatus[] {
    const sending = this.#senders.map(sender => {
      const status = sender.status()
      return this.#valve?.marked(status, sender.lane) ?? status
    })
    return [...sending, ...[...this.#receivers.values()].map(receiver => receiver.status())]
  }

  /** The streams that something holds back on purpose, and what. */
  waits(): Map<string, string> {
    const reasons = this.#pending().flatMap(([{ options }, { state, reason }]): [string, string][] =>
      state === 'waiting' && reason !== undefined ? [[options.table, reason]] : [],
    )
    return new Map(reasons)
  }

  /** To be told: what the far side cannot know of while no frame comes. */
  pending(): Map<string, StreamPending> {
    const waits = this.waits()
    return new Map(
      this.#pending().map(([sender]) => {
        const { table } = sender.options
        return [table, { head: sender.tellHead(), ...(waits.has(table) && { waits: waits.get(table) }) }]
      }),
    )
  }

  #pending(): [Sender, StreamStatus][] {
    if (this.#session === undefined) return []
    return this.#senders.flatMap((sender): [Sender, StreamStatus][] => {
      const status = sender.status()
      const marked = this.#valve?.marked(status, sender.lane) ?? status
      return marked.behind > 0 && ['moving', 'stalled', 'waiting'].includes(marked.state) ? [[sender, marked]] : []
    })
  }

  /** The far side has said so of what it sends. */
  told(pending: readonly (StreamPending & { readonly table: string })[]): void {
    for (const { table, ...stream } of pending) this.#receivers.get(table)?.told(stream)
  }

  /** Also called while there is no conversation: how old the oldest unsent entry is must be known then too. */
  lookAtOldest(): void {
    for (const sender of this.#senders) {
      sender.lookAtOldest().catch((error: unknown) => {
        this.#doors.log.debug({ table: sender.options.table, reason: messageOf(error) }, 'could not read the log')
      })
    }
  }

  async #pump(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isWoken = false
      if (!(await this.#sendOne(signal))) await this.#rest(signal)
    }
  }

  /** One frame of the first lane that has one. False if nobody has anything to send, or no room to send it. */
  async #sendOne(signal: AbortSignal): Promise<boolean> {
    for (const sender of this.#senders.toSorted((a, b) => rankOf(a.lane) - rankOf(b.lane))) {
      if (signal.aborted) return false
      if (!sender.isReady || !this.#hasRoomFor(sender)) continue
      const { table } = sender.options
      const frameBytesMax = Math.min(
        this.#traffic.frameBytesMax,
        this.#valve?.frameBytesMax ?? Number.POSITIVE_INFINITY,
      )
      try {
        if ((await sender.send(frameBytesMax)) !== 'nothing') return true
      } catch (error) {
        if (signal.aborted) return false
        this.#doors.log.warn({ table, reason: messageOf(error) }, 'could not read the log; trying again')
      }
    }
    return false
  }

  #hasRoomFor(sender: Sender): boolean {
    const { table, kind } = sender.options
    const { lane } = sender
    if (this.#session?.hasRoom?.(table) === false) return false
    if (this.#valve?.isOpen(table, lane) === false) return false
    if (!isNeverHeld(lane) && !this.#traffic.hasRoom) return false
    let frames = 0
    let bytes = 0
    for (const other of this.#senders) {
      frames += other.flyingFrames
      bytes += other.flyingBytes
    }
    const framesMax = kind === 'series' && lane === 'series' ? windowFramesForReadings : windowFramesMax
    const credit = this.#session?.far ?? silentTakes
    if (sender.flyingFrames >= credit.frames || (sender.flyingFrames > 0 && sender.flyingBytes >= credit.bytes))
      return false
    return frames < framesMax && (frames === 0 || bytes < windowBytesMax)
  }

  /** Until an answer comes, a log grows, or a tick passes. */
  async #rest(signal: AbortSignal): Promise<void> {
    for (const sender of this.#senders) {
      if (!sender.isCaughtUp || this.#watched.has(sender)) continue
      this.#watch(sender, signal)
    }
    if (this.#isWoken || signal.aborted) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
  }

  #watch(sender: Sender, signal: AbortSignal): void {
    this.#watched.add(sender)
    sender.waitForMore(signal).then(
      () => {
        this.#watched.delete(sender)
        this.#rouse()
      },
      // The next tick looks again: at once would be a busy loop.
      (error: unknown) => {
        this.#watched.delete(sender)
        this.#doors.log.debug({ table: sender.options.table, reason: messageOf(error) }, 'could not wait for the log')
      },
    )
  }

  /** The link has room again. */
  rouse(): void {
    this.#rouse()
  }

  #rouse(): void {
    this.#isWoken = true
    this.#wake()
  }

  #tick(): void {
    const nowMs = this.#doors.time.monotonicMs()
    for (const sender of this.#senders) sender.tick()
    this.#lookAtRoad()
    this.#valve?.tick()
    this.lookAtOldest()
    if (!this.#senders.some(sender => sender.isWaiting)) this.#heardAtMs = nowMs
    if (nowMs - this.#heardAtMs >= deadMs) {
      this.#heardAtMs = nowMs
      this.#onSilence()
    }
    this.#rouse()
    if (!this.#stop.signal.aborted) this.#cancelTick = this.#doors.time.after(tickMs, () => this.#tick())
  }
}
