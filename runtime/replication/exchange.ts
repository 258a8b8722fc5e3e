/**
 * All streams with one peer: a sender for each table that goes there, a receiver for each that comes from there. Both
 * ends of a bridge have one; only who dials and how messages travel differs.
 *
 * Promises: lanes (alerts, then other records, then readings) are offered each free place in the window in that order,
 * and readings leave two places free, so that an alert never waits behind a backlog. Between conversations it holds
 * nothing but counts.
 */
import { messageOf } from '../errors.ts'
import { deadMs, tickMs, windowBytesMax, windowFramesForReadings, windowFramesMax } from './limits.ts'
import { decodeAsk, decodePosition } from './messages.ts'
import type { StreamMessage } from './protocol.ts'
import type { Receiver } from './receiver.ts'
import type { Sender } from './sender.ts'
import type { Doors, Session, StreamStatus } from './stream.ts'
import { silentTakes } from './takes.ts'
import type { Seq } from '../store/types.ts'

export type ExchangeStart = {
  readonly session: Session
  /** Where the far side stands with each table that we send; a table without one starts when the far side tells. */
  readonly positions: ReadonlyMap<string, Seq>
  /** The epoch of each table that the far side sends. */
  readonly epochs: ReadonlyMap<string, string>
  /** The latest wall time that can be believed. */
  readonly believedMs: () => number
}

export class Exchange {
  readonly #senders: readonly Sender[]
  readonly #receivers: ReadonlyMap<string, Receiver>
  readonly #doors: Doors
  readonly #onSilence: () => void
  #session: Session | undefined
  #stop = new AbortController()
  #wake: () => void = () => {}
  #isWoken = false
  #heardAtMs = 0
  #cancelTick: () => void = () => {}
  readonly #watched = new Set<Sender>()
  refused = 0

  /** `onSilence` is called when the far side has said nothing for 30 s although something waits for its answer. */
  constructor(senders: readonly Sender[], receivers: readonly Receiver[], doors: Doors, onSilence: () => void) {
    this.#senders = senders.toSorted((a, b) => lane(a) - lane(b))
    this.#receivers = new Map(receivers.map(receiver => [receiver.options.table, receiver]))
    this.#doors = doors
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

  epoch(table: string): string | undefined {
    return this.#senders.find(sender => sender.options.table === table)?.epoch
  }

  /** A conversation starts; the one before must have ended. */
  begin({ session, positions, epochs, believedMs }: ExchangeStart): void {
    this.#session = session
    this.#stop = new AbortController()
    this.#heardAtMs = this.#doors.time.monotonicMs()
    for (const [table, receiver] of this.#receivers) {
      const epoch = epochs.get(table)
      if (epoch !== undefined) receiver.begin(session, epoch, believedMs)
    }
    for (const sender of this.#senders) sender.begin(session, positions.get(sender.options.table))
    this.#pump(this.#stop.signal).catch((error: unknown) => {
      this.#doors.log.error({ reason: messageOf(error) }, 'nothing more is sent in this conversation')
    })
    this.#cancelTick = this.#doors.time.after(tickMs, () => this.#tick())
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
        sender.position(decoded.value)
        return this.#rouse()
      }
    }
    if (name === 'ask' && receiver !== undefined) {
      const decoded = decodeAsk(payload)
      if (decoded.ok && decoded.value.session === session.id) return receiver.asked(decoded.value)
    }
    this.refused++
  }

  status(): StreamStatus[] {
    return [...this.#senders, ...this.#receivers.values()].map(stream => stream.status())
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
    for (const sender of this.#senders) {
      if (signal.aborted) return false
      if (!sender.isReady || !this.#hasRoomFor(sender)) continue
      const { table } = sender.options
      try {
        if ((await sender.send()) !== 'nothing') return true
      } catch (error) {
        if (signal.aborted) return false
        this.#doors.log.warn({ table, reason: messageOf(error) }, 'could not read the log; trying again')
      }
    }
    return false
  }

  #hasRoomFor(sender: Sender): boolean {
    if (this.#session?.hasRoom?.(sender.options.table) === false) return false
    let frames = 0
    let bytes = 0
    for (const other of this.#senders) {
      frames += other.flyingFrames
      bytes += other.flyingBytes
    }
    const framesMax = sender.options.kind === 'series' ? windowFramesForReadings : windowFramesMax
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

function lane({ options }: Sender): number {
  if (options.kind === 'series') return 2
  return options.table === 'alerts' ? 0 : 1
}
