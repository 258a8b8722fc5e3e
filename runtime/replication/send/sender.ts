/**
 * The sending end of a stream: where is the far side, where is our head, and for each entry between: send. The edge has
 * one for each table it publishes, the hub one for each table that a gateway subscribes to.
 *
 * Promises: the durable cursor moves only to what the far side has confirmed [I1]; after anything doubtful (a lost frame,
 * silence, a new connection) the position is the one the far side names. It never holds more than a window of frames,
 * never sends back where something came from, and never stops without its status saying so [I9].
 */
import { withoutThere } from './already.ts'
import { type Entry, type Seq, type TableKind, seqZero } from '../../store/types.ts'
import { Bookmark, type StreamStart } from './bookmark.ts'
import { Doubt } from './doubt.ts'
import { skippedMax, stallMs } from '../limits.ts'
import { type Lane, laneOf } from '../lanes/lanes.ts'
import { LostEnd } from './lost-end.ts'
import { encodeAsk } from '../wire/messages.ts'
import { OldestUnsent } from './oldest-unsent.ts'
import { type Packed, packFrame, readCount } from './packing.ts'
import { Parts, gapsFirst, upTo } from './parts.ts'
import { type Place, type Range } from '../wire/place.ts'
import type { PositionAnswer } from '../wire/protocol.ts'
import { SentGaps } from './sent-gaps.ts'
import { Reach } from './reach.ts'
import type { Doors, Session, StreamStatus } from '../stream.ts'
import type { Chosen } from './source.ts'
import { Unsendable } from './unsendable.ts'
import {
  type Window,
  answered,
  frameSent,
  goBack,
  hasLost,
  isStalled,
  openWindow,
  passedOver,
  settled,
  slowed,
} from './window.ts'

export type SenderOptions = {
  readonly table: string
  readonly kind: TableKind
  /** For people and for the cursor's name: the bridge at the edge, the gateway at the hub. */
  readonly label: string
  readonly cursor: string
  readonly start: StreamStart
  readonly frameBytes: number
  /** New entries go before a backlog, to a far side that takes them so. */
  readonly liveFirst?: boolean
  readonly liveGapMax?: number
  /** What of the table goes into this stream; left out, all. */
  readonly selection?: Chosen | undefined
  /** The log's head when this process started; left out, that of now. */
  readonly headAtStart?: Seq | undefined
}

export class Sender {
  readonly options: SenderOptions
  readonly #doors: Doors
  readonly bookmark: Bookmark
  readonly #oldest: OldestUnsent
  readonly #gaps: SentGaps
  readonly #lostEnd: LostEnd
  readonly #unsendable: Unsendable
  readonly #parts: Parts
  #session: Session | undefined
  #window: Window | undefined
  readonly #reach: Reach
  #runs = 0
  #askedAtMs = 0
  /** The head that the far side was last told of in this conversation: it believes that so much is to come. */
  #toldHead: Seq = seqZero
  #ahead: readonly Entry[] = []
  readonly #doubt = new Doubt()
  #refusal: string | undefined
  #lastConfirmedAtMs: number | undefined
  readonly #counts = { bytes: 0, parked: 0, refused: 0 }
  /** Called when only a new hello can tell where to go on: the stream has a new epoch, or the far side has lost its end. */
  onRestart: () => void = () => {}
  /** Called when there may be something to send that nobody has asked for just now. */
  onReady: () => void = () => {}

  constructor(options: SenderOptions, doors: Doors) {
    this.#doors = doors
    this.bookmark = new Bookmark(options, doors)
    this.options = { ...options, selection: withoutThere(options.selection, () => this.bookmark.there) }
    this.#oldest = new OldestUnsent(options.table, doors)
    this.#gaps = new SentGaps(options, doors)
    this.#unsendable = new Unsendable(options, doors)
    this.#parts = new Parts(this.options, doors)
    this.#reach = new Reach(options.cursor, options.headAtStart ?? doors.store.head(options.table), doors)
    this.#lostEnd = new LostEnd(options, this.bookmark, this.#reach, doors, () => this.onRestart())
  }

  get epoch(): string {
    return this.bookmark.epoch
  }

  /** Makes the stream's beginning durable, once. */
  async prepare(): Promise<void> {
    this.#reach.mark()
    await this.bookmark.prepare()
  }

  /**
   * A conversation starts. Without a position, sending starts with the first one that the far side tells. `ahead` is what
   * it has beyond, undefined if it takes everything in its turn.
   */
  begin(session: Session, position: Seq | undefined, ahead?: readonly Range[]): void {
    this.end()
    this.#session = session
    this.#askedAtMs = this.#doors.time.monotonicMs()
    this.#refusal = undefined
    this.#parts.isAllowed = ahead !== undefined && this.options.liveFirst === true
    if (position !== undefined) this.#open({ seq: position, ahead: ahead ?? [] })
  }

  /** The conversation is over: what was in flight is forgotten. */
  end(): void {
    this.#session = undefined
    this.#runs = this.#window?.run ?? this.#runs
    this.#window = undefined
    this.#parts.end()
    this.#toldHead = seqZero
    this.#ahead = []
    this.#doubt.end()
  }

  /** The far side does not take this stream. */
  refuse(reason: string): void {
    this.end()
    this.#refusal = reason
  }

  #open(far: Place): void {
    // Not our head of now: after a lost end it may have grown past the far side's position before we could ask for it.
    this.#noticeLostEnd()
    const newest = far.ahead.at(-1)?.[1] ?? far.seq
    if (newest > this.#reach.most) return this.#lostEnd.startAnew(newest, far)
    const session = this.#session
    this.#reach.meet(() => {
      if (session === this.#session && this.#window === undefined) this.#start(far)
    })
  }

  #start(far: Place): void {
    const nowMs = this.#doors.time.monotonicMs()
    this.#window = openWindow(this.#runs + 1, far.seq, this.bookmark.floor, nowMs)
    this.#parts.begin(far, this.#window, this.#session)
    this.#saveCursor()
    this.onReady()
  }

  #noticeLostEnd(): void {
    this.#lostEnd.notice(Math.max(this.#window?.scanned ?? 0, this.#parts.live?.window.scanned ?? 0))
  }

  /** The far side tells where it stands. */
  position(answer: PositionAnswer): void {
    const { store, time } = this.#doors
    if (this.#session === undefined) return
    if (this.#window === undefined) return this.#open(answer)
    if ((answer.ahead.at(-1)?.[1] ?? answer.seq) > store.head(this.options.table)) {
      this.#counts.refused++
      return
    }
    // From where it is now, and of what it has ahead, only a new conversation can go on.
    if (hasLost(this.#window, answer)) return this.onRestart()
    const before = this.#window
    const isLiveFurther = this.#parts.position(answer)
    // To go back for what is unreadable is not enough: what comes after it would be sent as it was, again and again.
    const wanted = answer.base === undefined && answer.unreadable === undefined ? answer.wanted : undefined
    const after = answered(before, { ...answer, wanted }, time.monotonicMs())
    this.#window = this.#parts.united(this.#parts.jumped(after))
    if (this.#window.scanned !== before.scanned) this.#ahead = []
    if (this.#window.confirmed > before.confirmed || isLiveFurther) this.#progressed(this.#window)
    if (answer.unreadable !== undefined) this.#notReadable(answer.unreadable, answer.wanted ?? answer.seq)
  }

  #progressed(window: Window): void {
    this.#lastConfirmedAtMs = this.#doors.time.wallMs()
    this.#doubt.confirmed(window.confirmed)
    this.#saveCursor()
  }

  /** What is after `at` goes again, smaller until what can't be read is found; refused even alone, it is parked. */
  #notReadable({ reason, sum }: { reason: string; sum: number }, at: Seq): void {
    if (this.#doubt.isLive(sum)) this.#parts.giveUp()
    const window = this.#window
    if (window === undefined || at >= window.sent || at < window.confirmed) return
    this.#counts.refused++
    const next = this.#doubt.raise(at, reason, sum)
    if (next === 'nothing') return
    if (next !== 'again') this.#parts.giveUp()
    if (next === 'stop') return this.refuse(`the far side cannot read what we send: ${reason}`)
    this.#window = { ...goBack(window, at), framesMax: 1 }
    this.#ahead = []
  }

  /** True if there is something to send and room in the window. */
  get isReady(): boolean {
    return this.#parts.live?.isReady === true || this.#hasTurn
  }

  /** The same, of what goes in its turn. */
  get #hasTurn(): boolean {
    const window = this.#window
    if (window === undefined || window.flying.length >= (this.#doubt.isSearching ? 1 : window.framesMax)) return false
    return window.scanned < (this.#parts.limit(window) ?? this.#doors.store.head(this.options.table))
  }

  /** True if the next thing to tell is that entries were dropped from the log's beginning. */
  get isGapNext(): boolean {
    const window = this.#window
    if (window === undefined || this.options.kind === 'records' || !this.#hasTurn) return false
    return window.scanned < this.#doors.store.firstSeq(this.options.table) - 1
  }

  /** True while everything in the log has been sent or passed over. */
  get isCaughtUp(): boolean {
    const newest = this.#parts.live?.window ?? this.#window
    return newest !== undefined && newest.scanned >= this.#doors.store.head(this.options.table)
  }

  get #windows(): Window[] {
    return [this.#window, this.#parts.live?.window].filter(window => window !== undefined)
  }

  get flyingFrames(): number {
    return this.#windows.reduce((sum, { flying }) => sum + flying.length, 0)
  }

  get flyingBytes(): number {
    return this.#windows.reduce((sum, { flyingBytes }) => sum + flyingBytes, 0)
  }

  get isWaiting(): boolean {
    return this.#windows.some(({ confirmed, sent }) => confirmed < sent)
  }

  /** A gap at the start of what the far side lacks goes first: until it is told, the far side takes silence for peace. */
  get lane(): Lane {
    return this.isGapNext ? 'control' : laneOf(this.options)
  }

  /** Resolves when the log grows past what has been read, or the signal aborts. */
  async waitForMore(signal: AbortSignal): Promise<void> {
    const from = (this.#parts.live?.window ?? this.#window)?.scanned ?? this.#doors.store.head(this.options.table)
    await this.#doors.store.waitPast(this.options.table, from, signal)
  }

  /** Reads on and sends one frame, if there is one to send. Rejects if the log can't be read. */
  async send(frameBytesMax = Number.POSITIVE_INFINITY): Promise<'sent' | 'passed' | 'nothing'> {
    const session = this.#session
    const before = this.#window
    if (before === undefined || session === undefined) return 'nothing'
    const { table, kind } = this.options
    const frameBytes = Math.min(this.options.frameBytes, frameBytesMax)
    if (!this.isGapNext) {
      this.#parts.look(before)
      const live = await this.#parts.send(frameBytes, packed => {
        this.#doubt.sentLive(packed.payloads)
        this.#carry(session, packed)
      })
      if (live !== 'nothing' || session !== this.#session || !this.#hasTurn) return live
    }
    const limit = this.#parts.limit(before)
    const isKept = this.#ahead.length > 0
    const read = isKept
      ? this.#ahead
      : await this.#doors.store.read(table, before.scanned, readCount(kind, session.far))
    const entries = upTo(read, limit)
    // Answers may have moved the window meanwhile; what was read still fits unless one moved where to read.
    const window = this.#window
    if (window === undefined || session !== this.#session || window.scanned !== before.scanned) return 'nothing'
    if (entries.length === 0) return 'nothing'
    const options = {
      after: window.scanned,
      peer: session.peer,
      frameBytes,
      transactionsMax: this.#doubt.limit,
      unreadable: this.#doubt.reasonAfter(window.sent),
      choose: this.options.selection?.choose,
    }
    const place = { session: session.id, run: window.run, after: window.sent, head: this.#doors.store.head(table) }
    const packed = packFrame(kind, this.isGapNext ? gapsFirst(entries) : entries, options, session.far, place)
    const { cut } = packed
    this.#ahead = entries.filter(entry => entry.seq > cut.last)
    const isOwed = this.#owesEnd(window, cut.last) || cut.last === limit
    if (cut.parts.length === 0 && cut.last - window.sent < skippedMax && !isOwed) {
      this.#window = passedOver(window, cut.last)
      this.#saveCursor()
      return 'passed'
    }
    this.#post(session, window, packed)
    return 'sent'
  }

  /** It was told of entries that turn out to be none for it: without a word it would call itself behind for ever. */
  #owesEnd(window: Window, last: Seq): boolean {
    return this.#toldHead > window.sent && last >= this.#doors.store.head(this.options.table)
  }

  #post(session: Session, window: Window, packed: Packed): void {
    const { cut, payloads } = packed
    const bytes = payloads.reduce((sum, payload) => sum + payload.length, 0)
    this.#doubt.sent({ after: window.sent, last: cut.last, transactions: cut.transactions, payloads })
    const sent = frameSent(window, { last: cut.last, bytes }, this.#doors.time.monotonicMs())
    this.#window = this.#parts.jumped(sent)
    if (this.#window !== sent) this.#ahead = []
    this.#carry(session, packed)
  }

  #carry(session: Session, { cut, payloads }: Packed): void {
    const { table } = this.options
    this.#counts.parked += this.#unsendable.note(cut.parked, this.epoch)
    this.#reach.sent(cut.last)
    this.#gaps.note(cut.gaps, this.epoch)
    this.#toldHead = this.#doors.store.head(table)
    for (const payload of payloads) {
      this.#counts.bytes += payload.length
      session.post('entries', table, payload)
    }
  }

  /** The head, told otherwise than with a frame: what of it turns out to be none for the far side is told in the end. */
  tellHead(): Seq {
    const newest = this.#parts.live?.window ?? this.#window
    this.#toldHead = newest !== undefined && this.isCaughtUp ? newest.sent : this.#doors.store.head(this.options.table)
    return this.#toldHead
  }

  /** Called every second or so: asks the far side where it is when it is silent. */
  tick(): void {
    const session = this.#session
    const nowMs = this.#doors.time.monotonicMs()
    if (session === undefined) return
    this.#parts.tick()
    if (this.#window === undefined) {
      // Its first position has not come.
      if (nowMs - this.#askedAtMs < stallMs || this.bookmark.isRestarting) return
    } else {
      if (!isStalled(this.#window, stallMs, nowMs)) return
      this.#window = slowed(this.#window, nowMs)
    }
    this.#askedAtMs = nowMs
    const run = this.#window?.run ?? this.#runs
    session.post('ask', this.options.table, encodeAsk({ session: session.id, run, base: undefined }))
  }

  #saveCursor(): void {
    this.bookmark.save(
      () => this.#window && settled(this.#window),
      () => this.#parts.ahead,
    )
  }

  /** Looks up how old the oldest entry is that the far side doesn't have, for the status. */
  async lookAtOldest(): Promise<void> {
    this.#noticeLostEnd()
    await this.#oldest.look(this.#settled())
  }

  #settled(): Seq {
    return this.#window === undefined ? this.bookmark.cursor : settled(this.#window)
  }

  status(): StreamStatus {
    const { label, table } = this.options
    const after = this.#settled()
    const ahead = this.#window === undefined ? this.bookmark.ahead : this.#parts.ahead
    const far = { seq: after, ahead }
    const behind = this.#gaps.waiting(far)
    return {
      bridge: label,
      table,
      direction: 'send',
      behind,
      oldestUnsentMs: this.#oldest.ageMs(after),
      confirmed: this.#window?.confirmed ?? after,
      lastConfirmedAtMs: this.#lastConfirmedAtMs,
      framesInFlight: this.flyingFrames,
      ...this.#counts,
      undecided: this.options.selection?.undecided ?? 0,
      ...this.#gaps.status(far),
      state: this.#state(behind),
      reason: this.#refusal,
    }
  }

  #state(behind: number): StreamStatus['state'] {
    if (this.#refusal !== undefined) return 'refused'
    if (this.bookmark.isRestarting) return 'restarting'
    if (this.#window === undefined) return 'offline'
    if (behind === 0) return 'idle'
    return this.#window.framesMax === 1 || isStalled(this.#window, stallMs, this.#doors.time.monotonicMs())
      ? 'stalled'
      : 'moving'
  }
}
