/**
 * One table on its way to a plain broker: a message for each entry, and the PUBACK is the end of its journey; there, and
 * nowhere else.
 *
 * Promises: the cursor moves over acknowledged messages without a hole [I1], so after a cut everything from there on is
 * read from the log and sent again (at least once, in order); an entry that cannot be a message, or that the broker
 * refuses, is parked with its reason, and the rest flows [I4]; if it refuses all of it, the stream stops, says so, and
 * asks again from time to time. It never holds more than its window and one read of the log.
 */
import { messageOf } from '../../errors.ts'
import { type Entry, type ReadingEntry, type RecordEntry, type Seq, type TableKind, asSeq } from '../../store/types.ts'
import { Bookmark, type StreamStart } from '../send/bookmark.ts'
import { readMax, refusedEntriesInARowMax, refusedTopicMs, refusedTopicsInARowMax, stallMs } from '../limits.ts'
import { OldestUnsent } from '../send/oldest-unsent.ts'
import { type MessageOptions, messageOfEntry } from './plain-message.ts'
import { type PlainWindow, entryDone, entryPassed, messageSent, openPlainWindow } from './plain-window.ts'
import type { RefusedTopics } from './refused-topics.ts'
import type { Chosen } from '../send/source.ts'
import { LogEnd } from '../send/log-end.ts'
import { SentGaps } from '../send/sent-gaps.ts'
import type { Doors, StreamStatus } from '../stream.ts'
import type { Condemned } from './suspicion.ts'
import { Unsendable } from '../send/unsendable.ts'

export type PlainStreamOptions = MessageOptions & {
  readonly kind: TableKind
  /** The bridge, for people and for the cursor's name. */
  readonly label: string
  readonly cursor: string
  readonly start: StreamStart
  /** What of the table goes into this stream; left out, all. */
  readonly selection?: Chosen | undefined
}

export type PlainStep =
  | { readonly kind: 'message'; readonly seq: Seq; readonly topic: string; readonly payload: Buffer }
  | { readonly kind: 'passed' | 'nothing' }

/** Of a topic in a reason: as much as a person reads. */
const topicCharsTold = 120

type Flight = { readonly entry: ReadingEntry | RecordEntry; readonly topic: string }

export class PlainStream {
  readonly options: PlainStreamOptions
  readonly #doors: Doors
  readonly #refusedTopics: RefusedTopics
  readonly #bookmark: Bookmark
  readonly #oldest: OldestUnsent
  readonly #log: LogEnd
  readonly #gaps: SentGaps
  readonly #unsendable: Unsendable
  #window: PlainWindow | undefined
  /** Counts beginnings: what was read for an earlier one is not sent in this one. */
  #run = 0
  /** What is confirmed, though the cursor on the disk may be older for some seconds. */
  #confirmed: Seq | undefined
  #ahead: readonly Entry[] = []
  readonly #flights = new Map<Seq, Flight>()
  #condemned: Condemned | undefined
  #refusedInARow: { entries: number; readonly topics: Set<string> } = { entries: 0, topics: new Set() }
  #hasTaken = false
  /** Why it refuses; as long as it has taken nothing at all, nobody may believe that the rest flows. */
  #lastRefusal: string | undefined
  #refusal: { readonly reason: string; readonly untilMs: number } | undefined
  #progressAtMs = 0
  #lastConfirmedAtMs: number | undefined
  readonly #counts = { bytes: 0, parked: 0, refused: 0 }

  constructor(options: PlainStreamOptions, doors: Doors, refusedTopics: RefusedTopics) {
    this.options = options
    this.#doors = doors
    this.#refusedTopics = refusedTopics
    this.#bookmark = new Bookmark(options, doors)
    this.#oldest = new OldestUnsent(options.table, doors)
    this.#log = new LogEnd(doors.store, options.table)
    this.#gaps = new SentGaps(options, doors)
    this.#unsendable = new Unsendable(options, doors)
  }

  /** Makes the stream's beginning durable, once. */
  async prepare(): Promise<void> {
    await this.#bookmark.prepare()
    this.#noticeLostEnd()
  }

  /** There is a connection: everything after what is confirmed is read, and sent, again. */
  begin(): void {
    this.end()
    this.#progressAtMs = this.#doors.time.monotonicMs()
    this.#window = openPlainWindow(this.#settled())
  }

  end(): void {
    this.#confirmed = this.#window?.confirmed ?? this.#confirmed
    this.#run++
    this.#window = undefined
    this.#ahead = []
    this.#flights.clear()
  }

  /** For good: what is confirmed is on the disk when it resolves, so that a restart in peace sends nothing twice. */
  async close(): Promise<void> {
    this.end()
    const { store, log } = this.#doors
    const { cursor, table } = this.options
    const seq = this.#settled()
    if (store.cursor(cursor) === seq) return
    try {
      await store.commit([{ kind: 'cursor', name: cursor, seq }], 'now')
    } catch (error) {
      log.debug({ table, reason: messageOf(error) }, 'the cursor was not saved')
    }
  }

  /**
   * What was read was on disk: a head before it means that the database was repaired, and its end is lost. Its numbers
   * are given again, to entries that must not be taken for those that were sent.
   */
  #noticeLostEnd(): void {
    const { log } = this.#doors
    const { table, label } = this.options
    const head = this.#log.look()
    const known = this.#window?.scanned ?? this.#confirmed ?? this.#bookmark.cursor
    if (known <= head) return
    log.error(
      { table, stream: label, known, head },
      'the log has lost its end: the stream goes on after what is left of it',
    )
    const settled = asSeq(Math.min(this.#settled(), head))
    const isUp = this.#window !== undefined
    this.end()
    this.#confirmed = settled
    if (isUp) this.begin()
    this.#bookmark.save(() => this.#settled())
  }

  /** Never past the head: a database that was repaired has lost its end, and those numbers are given again. */
  #settled(): Seq {
    const known = this.#window?.confirmed ?? this.#confirmed ?? this.#bookmark.cursor
    return asSeq(Math.min(known, this.#doors.store.head(this.options.table)))
  }

  get waiting(): number {
    return this.#window?.waiting ?? 0
  }

  /** The first entry that waits for its answer. */
  get firstWaiting(): Seq | undefined {
    return this.#window?.flying[0]?.seq
  }

  /** True if this entry is on its way, or will be as soon as there is room. */
  hasStill(seq: number): boolean {
    return this.#settled() < seq && (this.isReady || this.waiting > 0)
  }

  get isReady(): boolean {
    const window = this.#window
    return window !== undefined && !this.#isStopped && window.scanned < this.#doors.store.head(this.options.table)
  }

  get isCaughtUp(): boolean {
    return this.#window !== undefined && this.#window.scanned >= this.#doors.store.head(this.options.table)
  }

  get #isStopped(): boolean {
    const refusal = this.#refusal
    if (refusal === undefined) return false
    // When its time is over one message goes out, to ask; others follow if it is taken.
    return this.#doors.time.monotonicMs() < refusal.untilMs || this.waiting > 0
  }

  /** Resolves when the log grows past what has been read, or the signal aborts. */
  async waitForMore(signal: AbortSignal): Promise<void> {
    const from = this.#window?.scanned ?? this.#doors.store.head(this.options.table)
    await this.#doors.store.waitPast(this.options.table, from, signal)
  }

  /** The next message, if there is one. Rejects if the log can't be read. */
  async next(): Promise<PlainStep> {
    const before = this.#window
    if (before === undefined) return { kind: 'nothing' }
    const { table, kind } = this.options
    if (this.#ahead.length === 0) {
      const run = this.#run
      const entries = await this.#doors.store.read(table, before.scanned, readMax[kind])
      if (run !== this.#run || this.#window?.scanned !== before.scanned) return { kind: 'nothing' }
      this.#ahead = entries
    }
    const [entry, ...rest] = this.#ahead
    if (entry === undefined) return { kind: 'nothing' }
    this.#ahead = rest
    if (entry.kind === 'gap') return this.#passGap(entry)
    const choose = this.options.selection?.choose
    const chosen = choose === undefined ? entry : choose(entry)
    return chosen === undefined ? this.#pass(entry.seq) : this.#send(this.#window ?? before, chosen)
  }

  #passGap(gap: Entry & { readonly kind: 'gap' }): PlainStep {
    const { table, label } = this.options
    const { firstSeq, seq, count, reason } = gap
    // Rows that were written again later are no loss.
    if (count === 0) return this.#pass(seq)
    const first = asSeq(Math.max(firstSeq, (this.#window?.scanned ?? 0) + 1))
    this.#gaps.note([{ first, last: seq, reason }], this.#bookmark.epoch)
    const said = { table, stream: label, first, last: seq, reason }
    this.#doors.log.warn(said, 'these entries were dropped here before they could be sent')
    return this.#pass(seq)
  }

  #pass(seq: Seq): PlainStep {
    if (this.#window !== undefined) this.#moved(entryPassed(this.#window, seq))
    return { kind: 'passed' }
  }

  #send(window: PlainWindow, entry: ReadingEntry | RecordEntry): PlainStep {
    const { seq } = entry
    const message = messageOfEntry(entry, this.options)
    if (!message.ok) {
      this.#park(entry, message.reason)
      return this.#pass(seq)
    }
    const { topic, payload } = message
    const nowMs = this.#doors.time.monotonicMs()
    if (this.#condemned?.seq === seq) {
      const { wasAcknowledged } = this.#condemned
      this.#condemned = undefined
      if (!wasAcknowledged) {
        this.#park(entry, 'the broker closes the connection without a word when it is sent this')
        return this.#pass(seq)
      }
      this.#refusedTopics.refuse(topic, 'the broker closes the connection over this topic: its access rules?', nowMs)
    }
    const refused = this.#refusedTopics.reasonFor(topic, nowMs)
    if (refused !== undefined) {
      return this.#isToPark(entry, topic, refused) ? this.#pass(entry.seq) : { kind: 'nothing' }
    }
    if (window.waiting === 0) this.#progressAtMs = nowMs
    this.#window = messageSent(window, seq)
    this.#flights.set(seq, { entry, topic })
    this.#counts.bytes += topic.length + payload.length
    return { kind: 'message', seq, topic, payload }
  }

  #park(entry: ReadingEntry | RecordEntry, reason: string): void {
    this.#counts.parked += this.#unsendable.note([{ entry, reason }], this.#bookmark.epoch)
  }

  /** A refused entry is parked and the rest flows; but if it is all of them, they wait: then this is false. */
  #isToPark(entry: ReadingEntry | RecordEntry, topic: string, reason: string): boolean {
    this.#refusedInARow.entries++
    this.#refusedInARow.topics.add(topic)
    const { entries, topics } = this.#refusedInARow
    const said = `${reason} (topic ${topic.slice(0, topicCharsTold)})`
    if (!this.#hasTaken) this.#lastRefusal = said
    const isForAll = this.options.topic.names.every(name => name === 'gateway' || name === 'table')
    if (isForAll || topics.size >= refusedTopicsInARowMax || entries >= refusedEntriesInARowMax) {
      this.#stop(said)
      return false
    }
    this.#park(entry, reason)
    return true
  }

  #stop(reason: string): void {
    const { table, label } = this.options
    if (this.#refusal === undefined) {
      this.#doors.log.error(
        { table, stream: label, reason },
        'the broker takes nothing of this table: the stream waits',
      )
    }
    this.#refusal = { reason, untilMs: this.#doors.time.monotonicMs() + refusedTopicMs }
    this.#refusedInARow = { entries: 0, topics: new Set() }
    this.begin()
  }

  /** The broker has taken it. */
  taken(seq: Seq): void {
    if (this.#window === undefined || !this.#flights.delete(seq)) return
    this.#hasTaken = true
    this.#lastRefusal = undefined
    this.#refusal = undefined
    this.#refusedInARow = { entries: 0, topics: new Set() }
    this.#moved(entryDone(this.#window, seq))
  }

  /** The broker will not have it: nothing to this topic, or this one message. */
  refused(seq: Seq, reason: string, what: 'topic' | 'message'): void {
    const flight = this.#flights.get(seq)
    if (flight === undefined || this.#window === undefined) return
    this.#flights.delete(seq)
    if (what === 'message') this.#park(flight.entry, reason)
    else {
      this.#refusedTopics.refuse(flight.topic, reason, this.#doors.time.monotonicMs())
      if (!this.#isToPark(flight.entry, flight.topic, reason)) return
    }
    this.#moved(entryDone(this.#window, seq))
  }

  /** The connection ends over this entry each time: it is parked when it is read again. */
  condemn(condemned: Condemned): void {
    this.#condemned = condemned
  }

  #moved(window: PlainWindow): void {
    const { time } = this.#doors
    if (window.confirmed !== this.#window?.confirmed) {
      this.#progressAtMs = time.monotonicMs()
      this.#lastConfirmedAtMs = time.wallMs()
    }
    this.#window = window
    this.#bookmark.save(() => this.#settled())
  }

  /** Looks up how old the oldest entry is that the broker has not acknowledged, for the status. */
  lookAtOldest(): Promise<void> {
    this.#noticeLostEnd()
    return this.#oldest.look(this.#settled())
  }

  status(): StreamStatus {
    const { label, table } = this.options
    const confirmed = this.#settled()
    const far = { seq: confirmed, ahead: [] }
    const behind = this.#gaps.waiting(far)
    return {
      bridge: label,
      table,
      direction: 'send',
      behind,
      oldestUnsentMs: this.#oldest.ageMs(confirmed),
      confirmed,
      lastConfirmedAtMs: this.#lastConfirmedAtMs,
      framesInFlight: this.waiting,
      ...this.#counts,
      ...this.#gaps.status(far),
      undecided: this.options.selection?.undecided ?? 0,
      state: this.#state(behind),
      reason: this.#refusal?.reason ?? this.#nothingTaken,
    }
  }

  /** All of it is parked, though each for a topic of its own: too few to stop for, and nothing to call green. */
  get #nothingTaken(): string | undefined {
    return this.#lastRefusal === undefined ? undefined : `nothing of this table was taken yet: ${this.#lastRefusal}`
  }

  #state(behind: number): StreamStatus['state'] {
    if (this.#refusal !== undefined) return 'refused'
    if (this.#window === undefined) return 'offline'
    if (behind === 0) return this.#nothingTaken === undefined ? 'idle' : 'refused'
    const silentMs = this.#doors.time.monotonicMs() - this.#progressAtMs
    return this.waiting > 0 && silentMs >= stallMs ? 'stalled' : 'moving'
  }
}
