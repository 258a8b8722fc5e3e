/**
 * What a sending stream remembers across restarts: the epoch that its positions belong to, where it started, and the
 * cursor of what the far side has confirmed. The cursor is lazy: an older one after a crash is harmless, because the far
 * side knows better.
 */
import { messageOf } from '../../errors.ts'
import type { Json } from '../../reading.ts'
import { stampMs } from '../../stamp.ts'
import { aheadChange, aheadOf } from '../../store/ahead.ts'
import { type Change, type ReadingEntry, type RecordEntry, type Seq, asSeq, seqZero } from '../../store/types.ts'
import type { Place, Range } from '../wire/place.ts'
import type { Continues } from '../wire/protocol.ts'
import type { Doors } from '../stream.ts'

/** Where a stream that is new begins; a number is a time, in milliseconds since 1970. */
export type StreamStart = 'beginning' | 'now' | number

export type BookmarkOptions = {
  readonly table: string
  readonly cursor: string
  readonly start: StreamStart
}

export type StreamRecord = {
  readonly epoch: string
  readonly floor: Seq
  /** What the far side has beyond the floor, though it does not know it under this epoch. */
  readonly there?: readonly Range[]
  /** The stream that this one continues, and what of that was known to be confirmed. */
  readonly continues?: Continues & { readonly confirmed: Seq }
}
/** The state under which streams remember their epoch and their beginning. */
export const streamsOwner = 'streams'

/** Entries read at once while the beginning of a stream is looked for. */
const startReadMax = 1_000

const writtenMs = (entry: ReadingEntry | RecordEntry): number =>
  entry.kind === 'reading' ? entry.arrivalMs : stampMs(entry.stamp)

export class Bookmark {
  readonly #options: BookmarkOptions
  readonly #doors: Doors
  #record: StreamRecord | undefined
  #isSaving = false
  #isRestarting = false
  /** True if the far side starts us from where the stream stood that we continue. */
  isContinued = false

  constructor(options: BookmarkOptions, doors: Doors) {
    this.#options = options
    this.#doors = doors
  }

  get epoch(): string {
    return this.#record?.epoch ?? this.#doors.store.epoch
  }

  /** Where a stream that started late begins: what is before it is nobody's to send. */
  get floor(): Seq {
    const { floor = seqZero, continues } = this.#record ?? {}
    return continues === undefined || this.isContinued ? floor : asSeq(Math.max(floor, continues.confirmed))
  }

  /** To be left out: the far side has it. */
  get there(): readonly Range[] {
    return this.#record?.there ?? []
  }

  /** To be told to the far side, until it has gone past it. */
  get continues(): Continues | undefined {
    const continues = this.#record?.continues
    if (continues === undefined || this.cursor >= continues.seq) return undefined
    return { gateway: continues.gateway, epoch: continues.epoch, seq: continues.seq }
  }

  get cursor(): Seq {
    return this.#doors.store.cursor(this.#options.cursor) ?? seqZero
  }

  /** What the far side had beyond the cursor when it was saved. */
  get ahead(): readonly Range[] {
    return aheadOf(this.#doors.store, this.#options.cursor)
  }

  /** Makes the stream's beginning durable, once: `now` means the moment when the stream was first configured. */
  async prepare(): Promise<void> {
    const { store } = this.#doors
    const { cursor, start, table } = this.#options
    const known = store.state(streamsOwner, cursor) as StreamRecord | undefined
    if (known !== undefined) {
      this.#record = known
      return
    }
    const floor = start === 'beginning' ? seqZero : start === 'now' ? store.head(table) : await this.#before(start)
    await this.#remember({ epoch: store.epoch, floor })
  }

  /** The position before the first entry of that time or later. */
  async #before(timeMs: number): Promise<Seq> {
    const { store } = this.#doors
    const { table } = this.#options
    for (let after = seqZero; ; ) {
      const entries = await store.read(table, after, startReadMax)
      const first = entries.find(entry => entry.kind !== 'gap' && writtenMs(entry) >= timeMs)
      const last = first === undefined ? entries.at(-1)?.seq : asSeq(first.seq - 1)
      if (first !== undefined || last === undefined) return last ?? after
      after = last
    }
  }

  /** The stream begins anew after `floor`: the numbers from there on mean other entries than they did. */
  restart({ seq: floor, ahead: there }: Place, then: () => void): void {
    const { log, randomId } = this.#doors
    this.#isRestarting = true
    this.#remember({ epoch: randomId(), floor, ...(there.length > 0 && { there }) })
      .then(then)
      .catch((error: unknown) =>
        log.warn({ table: this.#options.table, reason: messageOf(error) }, 'could not start the stream anew'),
      )
      .finally(() => {
        this.#isRestarting = false
      })
  }

  get isRestarting(): boolean {
    return this.#isRestarting
  }

  async #remember(record: StreamRecord): Promise<void> {
    const { cursor } = this.#options
    const changes: Change[] = [
      { kind: 'state', owner: streamsOwner, key: cursor, value: record as unknown as Json },
      { kind: 'cursor', name: cursor, seq: record.floor },
      aheadChange(cursor, []),
    ]
    await this.#doors.store.commit(changes, 'now')
    this.#record = record
  }

  /** Saves what `settled` says, and what the far side has beyond it, one write at a time, until there is nothing new. */
  save(settled: () => Seq | undefined, ahead: () => readonly Range[] = () => []): void {
    if (this.#isSaving) return
    this.#isSaving = true
    void this.#saveNewest(settled, ahead).finally(() => {
      this.#isSaving = false
    })
  }

  async #saveNewest(settled: () => Seq | undefined, ahead: () => readonly Range[]): Promise<void> {
    const { store, log } = this.#doors
    const name = this.#options.cursor
    for (;;) {
      const seq = settled()
      if (seq === undefined) return
      const ranges = ahead()
      const isKnown = JSON.stringify(ranges) === JSON.stringify(this.ahead)
      if (seq === store.cursor(name) && isKnown) return
      const beyond = isKnown ? [] : [aheadChange(name, ranges)]
      try {
        await store.commit([{ kind: 'cursor', name, seq }, ...beyond], 'lazy')
      } catch (error) {
        log.debug({ cursor: name, reason: messageOf(error) }, 'the cursor was not saved')
        return
      }
    }
  }
}
