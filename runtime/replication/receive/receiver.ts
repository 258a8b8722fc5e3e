/**
 * The receiving end of a stream: commits what comes, together with the position it has reached [I3], and answers with
 * that position once it is durable [I1]. The hub has one for each table a gateway publishes, the edge one for each it
 * subscribes to.
 *
 * Promises: each entry is applied once, in its sender's order, whatever is lost, repeated or reordered [I10]. One commit
 * is on its way at a time, with everything that came meanwhile in the next: so a commit that fails can never be
 * followed by one that succeeds and leaves a hole (applying.ts has what is in a commit).
 */
import { crc32 } from 'node:zlib'
import { messageOf } from '../../errors.ts'
import { type Seq, type TableKind, seqZero } from '../../store/types.ts'
import { Applying, type Waiting } from './applying.ts'
import type { Frame } from '../wire/frames.ts'
import { Assembly } from './assembly.ts'
import { Back } from './back.ts'
import {
  commitRetryMaxMs,
  commitRetryMs,
  heardBytesMin,
  waitingBytesMax,
  waitingFramesMax,
  waitingRowsMax,
} from '../limits.ts'
import { encodePosition } from '../wire/messages.ts'
import { type Place, aheadCount, endOf, holds, lacking, nowhere, step } from '../wire/place.ts'
import { decodePayload } from '../wire/payload.ts'
import type { Ask, Continues, PositionAnswer, StreamPending } from '../wire/protocol.ts'
import type { Doors, Session, StreamStatus } from '../stream.ts'

export type ReceiverOptions = {
  readonly table: string
  readonly kind: TableKind
  readonly label: string
}

export class Receiver {
  readonly options: ReceiverOptions
  readonly #doors: Doors
  readonly #back: Back
  #session: Session | undefined
  #applying: Applying | undefined
  /** Taken in so far; what is beyond the stored position waits for its commit. */
  #accepted: Place = nowhere
  #run = 0
  /** The live part that frames of this conversation belonged to last. */
  #live: { readonly base: Seq; readonly run: number } | undefined
  #head: Seq = seqZero
  /** Why the far side sends nothing, though it has something. */
  #waits: string | undefined
  #waiting: Waiting[] = []
  #waitingBytes = 0
  readonly #assembly = new Assembly()
  #working: Promise<void> | undefined
  #stopPause: (() => void) | undefined
  #failures = 0
  readonly #refusedNames = new Set<string>()
  #refusal: string | undefined
  #lastConfirmedAtMs: number | undefined
  readonly #counts = { bytes: 0, parked: 0, refused: 0 }

  constructor(options: ReceiverOptions, doors: Doors) {
    this.options = options
    this.#doors = doors
    this.#back = new Back(options, doors)
  }

  /** What came from here shall come back too: our database was set back. */
  get wantsBack(): boolean {
    return this.#back.isWanted
  }

  /** A conversation starts. The one before must have ended, wholly: a late commit would move the position. */
  begin(session: Session, epoch: string, believedMs: () => number, continues?: Continues): void {
    this.#session = session
    // What an older conversation told may be of another epoch, or of entries that were none for us.
    this.#head = seqZero
    this.#waits = undefined
    this.#applying = new Applying(this.options, this.#doors, {
      peer: session.peer,
      epoch,
      continues,
      believedMs,
      onParked: rows => {
        this.#counts.parked += rows
      },
    })
    this.#refusal = undefined
    this.#back.begin()
    this.#run = 0
    this.#live = undefined
    this.#accepted = this.place
  }

  /** Ends the conversation; resolves when nothing of it is on its way to the disk any more. */
  async end(): Promise<void> {
    this.#session = undefined
    this.#dropWaiting()
    this.#stopPause?.()
    await this.#working
  }

  refuse(reason: string): void {
    this.#refusal = reason
  }

  /** Committed up to here, of what this peer's epoch sent. */
  get position(): Seq {
    return this.#applying?.position ?? seqZero
  }

  /** The same, with what came before its turn. */
  get place(): Place {
    return this.#applying?.place ?? nowhere
  }

  /** Tells the far side where we are, and to go on from there. */
  announce(): void {
    this.#answer({ wanted: this.#accepted.seq })
  }

  /** The far side asks where we are. While we pause after a failed commit we want nothing yet. */
  asked(ask: Ask): void {
    this.#heard(ask)
    const { base } = ask
    if (this.#stopPause !== undefined) return this.#answer({ base })
    this.#answer({ base, wanted: base === undefined ? this.#accepted.seq : endOf(this.#accepted, base) })
  }

  /** The live part and what comes in its turn have runs of their own. */
  #heard({ run, base }: { readonly run: number; readonly base?: Seq | undefined }): void {
    if (base === undefined) this.#run = Math.max(this.#run, run)
    else this.#live = { base, run: this.#live?.base === base ? Math.max(this.#live.run, run) : run }
  }

  frame(payload: Buffer): void {
    const session = this.#session
    if (session === undefined) return
    const decoded = decodePayload(payload, this.options.kind)
    if (!decoded.ok) {
      const { refused, detail } = decoded
      this.#refuse(refused, detail)
      const unreadable = { reason: refused, sum: crc32(payload) }
      this.#answer({ wanted: this.#accepted.seq, unreadable })
      return
    }
    const frame = decoded.value
    if (frame.session !== session.id) return this.#refuse('stale-session', frame.session)
    this.#heard(frame)
    this.told({ head: frame.head })
    this.#back.heard(frame.head)
    this.#counts.bytes += payload.length
    if (session.tellsHeard === true && payload.length >= heardBytesMin) this.#answer({ heard: crc32(payload) })
    this.#admit(frame, payload.length)
  }

  /** What the far side has, and whether something holds it back there. What it told before does not count any more. */
  told({ head, waits }: StreamPending): void {
    if (head !== undefined && head > this.#head) this.#head = head
    this.#waits = waits
  }

  #admit(frame: Frame, bytes: number): void {
    if (this.#stopPause !== undefined) return
    // What we have is answered with our position, in case the answer before was lost.
    const next = step(this.#accepted, frame)
    if (next.kind === 'known') return this.#answer({})
    if (next.kind === 'early') return this.#answer({ wanted: next.wanted, base: next.base })
    const rowsWaiting = this.#waiting.reduce((sum, { rows }) => sum + rows.length, frame.rows.length)
    const isFull =
      this.#waiting.length >= waitingFramesMax ||
      this.#waitingBytes + bytes > waitingBytesMax ||
      rowsWaiting > waitingRowsMax
    if (isFull) {
      this.#refuse('window-overrun', `${this.#waitingBytes} bytes and ${rowsWaiting} rows wait`)
      return this.#answer({ wanted: this.#accepted.seq })
    }
    const rows = this.#assembly.add(frame, bytes)
    if (rows === undefined) return
    // Sent again after going back, frames may be cut elsewhere and overlap with what already waits.
    const fresh = rows.filter(row => !holds(this.#accepted, row.seq))
    const gaps = frame.gaps.flatMap(gap => lacking(this.#accepted, gap).map(range => ({ ...gap, ...range })))
    const { after, last, base } = frame
    this.#waiting.push({ rows: fresh, gaps, piece: { after, last, base }, reached: next.place, bytes })
    this.#waitingBytes += bytes
    this.#accepted = next.place
    this.#working ??= this.#work()
  }

  /** Commits what waits until nothing does. Never rejects. */
  async #work(): Promise<void> {
    while (this.#waiting.length > 0) {
      const batch = this.#waiting
      this.#waiting = []
      this.#waitingBytes = 0
      try {
        await this.#applying?.commit(batch)
        this.#failures = 0
        this.#lastConfirmedAtMs = this.#doors.time.wallMs()
        this.#back.reached(this.position)
        this.#answer({})
      } catch (error) {
        await this.#commitFailed(error)
      }
    }
    // In the same turn as the last look: a frame that comes a turn later must find nobody at work.
    this.#working = undefined
  }

  /** The disk is full or failing. What was taken in is asked for again, after a pause that grows. */
  async #commitFailed(error: unknown): Promise<void> {
    const { log, time } = this.#doors
    const pauseMs = Math.min(commitRetryMs * 2 ** this.#failures++, commitRetryMaxMs)
    if (this.#failures === 1) {
      log.error(
        { table: this.options.table, from: this.options.label, reason: messageOf(error) },
        'cannot store what the far side sends',
      )
    }
    this.#dropWaiting()
    if (this.#session === undefined) return
    await new Promise<void>(resolve => {
      const cancel = time.after(pauseMs, resolve)
      this.#stopPause = () => {
        cancel()
        resolve()
      }
    })
    this.#stopPause = undefined
    this.#accepted = this.place
    this.announce()
    const base = this.#live?.base
    if (base !== undefined && base > this.#accepted.seq) {
      this.#answer({ base, wanted: endOf(this.#accepted, base) })
    }
  }

  #dropWaiting(): void {
    this.#waiting = []
    this.#waitingBytes = 0
    this.#assembly.clear()
  }

  #answer({ base, ...said }: Partial<Pick<PositionAnswer, 'wanted' | 'base' | 'heard' | 'unreadable'>>): void {
    const session = this.#session
    if (session === undefined) return
    const run = base === undefined ? this.#run : (this.#live?.run ?? 0)
    const payload = encodePosition({
      session: session.id,
      run,
      ...this.place,
      base,
      wanted: undefined,
      unreadable: undefined,
      ...said,
    })
    session.post('position', this.options.table, payload)
  }

  #refuse(name: string, detail: string): void {
    this.#counts.refused++
    // The log has the first of each name, the status has the count: a hostile peer must not fill the log.
    if (this.#refusedNames.has(name)) return
    this.#refusedNames.add(name)
    this.#doors.log.warn(
      { table: this.options.table, from: this.options.label, refused: name, detail },
      'a frame was refused',
    )
  }

  status(): StreamStatus {
    const position = this.position
    const behind = Math.max(0, this.#head - position - aheadCount(this.place))
    const state = this.#state(behind)
    return {
      bridge: this.options.label,
      table: this.options.table,
      direction: 'receive',
      behind,
      oldestUnsentMs: undefined,
      confirmed: position,
      lastConfirmedAtMs: this.#lastConfirmedAtMs,
      framesInFlight: this.#waiting.length,
      ...this.#counts,
      undecided: 0,
      ...(this.#applying?.gaps ?? { gaps: 0, lastGap: undefined }),
      state,
      reason: this.#refusal ?? (state === 'waiting' ? this.#waits : undefined),
    }
  }

  #state(behind: number): StreamStatus['state'] {
    if (this.#refusal !== undefined) return 'refused'
    if (this.#session === undefined) return 'offline'
    if (this.#failures > 0) return 'stalled'
    if (behind === 0) return 'idle'
    return this.#waits === undefined ? 'moving' : 'waiting'
  }
}
