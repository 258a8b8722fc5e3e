/**
 * The health of an open store: its card is kept, damage that shows while it runs is noticed, and what was found is told.
 *
 * LevelDB passes over a damaged block in the middle of a walk and says so only at the end of it, if at all; so whatever it
 * says of damage counts, wherever it was said. Then every file is read in the background, at a gentle pace, and between
 * two commits the database is closed, mended and opened again. It must never do so again and again: with each time that
 * helped nobody it waits longer.
 */
import { messageOf } from '../errors.ts'
import type { Database } from './database.ts'
import type { Home } from './home.ts'
import { type CardFacts, cardEveryMs } from './mending/card.ts'
import type { StoreOptions } from './options.ts'
import type { DamageReport } from './mending/report.ts'
import { isCorruption } from './watched.ts'

/** Between two mendings of a database that runs: the first wait, and the longest. */
const mendAgainMs = { first: 60_000, most: 6 * 3_600_000 }

/** Every file is read once so long after the start, and then every week: bits of a card rot unseen. */
const verifyFirstMs = 600_000
const verifySoonMs = 60_000
const verifyEveryMs = 7 * 24 * 3_600_000

export type HealthStatus = {
  /** What was found since the start; each is also kept as the state of `damage` until it is told. */
  readonly reports: number
  /** Entries of logs that are lost by it, at least. */
  readonly entriesLost: number
  readonly quarantine: { readonly folders: number; readonly bytes: number }
  /** The last time that every file was read, on the wall clock, and how many were damaged. */
  readonly verifiedMs: number | undefined
  readonly isVerifying: boolean
}

type Doors = Pick<StoreOptions, 'now' | 'monotonicMs' | 'log'>

export class Health {
  readonly #home: Home
  readonly #doors: Doors
  #database: Database | undefined
  #cardAtMs = 0
  #isCardFailing = false
  #mendAtMs = 0
  #waitMs = mendAgainMs.first
  #reports = 0
  #entriesLost = 0
  /** On the monotonic clock. */
  #verifyAtMs: number
  #verifiedMs: number | undefined
  #verifying: Promise<void> | undefined
  #isBad = false

  constructor(home: Home, doors: Doors, database: Database, report: DamageReport | undefined) {
    this.#home = home
    this.#doors = doors
    this.#verifyAtMs = doors.monotonicMs() + verifyFirstMs
    this.opened(database, report)
  }

  /** Called with each database that was opened, and what was wrong with it. */
  opened(database: Database, report: DamageReport | undefined): void {
    this.#database = database
    this.#isBad = false
    if (report !== undefined) {
      this.#reports++
      this.#entriesLost += report.lost.reduce((sum, { count }) => sum + count, 0)
      this.#waitMs = mendAgainMs.first
      // Where something was damaged more may be.
      this.#verifyAtMs = this.#doors.monotonicMs() + verifySoonMs
    }
    this.#keepCard(false)
  }

  closed(isInPeace: boolean): void {
    if (isInPeace) this.#keepCard(true)
    this.#database = undefined
  }

  /** Now and then. True if the database must be mended: in the turn of a commit, whose failure the state tells. */
  tick(): boolean {
    this.#look()
    return this.complaint !== undefined
  }

  #look(): void {
    const nowMs = this.#doors.monotonicMs()
    if (nowMs - this.#cardAtMs >= cardEveryMs) this.#keepCard(false)
    const { suspects, troubles } = this.#database ?? { suspects: new Map(), troubles: [] }
    if (nowMs >= this.#verifyAtMs) void this.verify()
    if (this.#isBad || this.#verifying !== undefined || nowMs < this.#mendAtMs) return
    if (troubles.length > 0) void this.verify().then(() => this.#mendSoon())
    else if (suspects.size > 0) this.#mendSoon()
  }

  /** Why the database must be closed and mended now, between two commits; undefined while it need not be. */
  get complaint(): string | undefined {
    if (!this.#isBad || this.#database === undefined) return undefined
    const { suspects, troubles } = this.#database
    return troubles[0] ?? `${suspects.size} stored values are not what was written`
  }

  /** For a reader whom damage has stopped: true if it is mended with the next commit, and may be read again. */
  async relieve(error: unknown): Promise<boolean> {
    if (!isCorruption(error) || (!this.#isBad && this.#doors.monotonicMs() < this.#mendAtMs)) return false
    await this.verify()
    if (!this.#isBad) this.#mendSoon()
    return true
  }

  /** Reads every block of every file while the store runs. What is damaged is mended at the next opening. */
  verify(progress?: (doneBytes: number, allBytes: number) => void): Promise<void> {
    this.#verifying ??= this.#verify(progress).finally(() => {
      this.#verifying = undefined
    })
    return this.#verifying
  }

  status(): HealthStatus {
    return {
      reports: this.#reports,
      entriesLost: this.#entriesLost,
      quarantine: this.#home.quarantined?.() ?? { folders: 0, bytes: 0 },
      verifiedMs: this.#verifiedMs,
      isVerifying: this.#verifying !== undefined,
    }
  }

  async #verify(progress: ((doneBytes: number, allBytes: number) => void) | undefined): Promise<void> {
    const { now, monotonicMs, log } = this.#doors
    this.#verifyAtMs = monotonicMs() + verifyEveryMs
    try {
      const bad = (await this.#home.verify?.(progress)) ?? 0
      this.#verifiedMs = now()
      if (bad > 0) this.#mendSoon()
    } catch (error) {
      log.warn({ reason: messageOf(error) }, 'the files of the database could not be looked at')
    }
  }

  #mendSoon(): void {
    this.#isBad = true
    this.#mendAtMs = this.#doors.monotonicMs() + this.#waitMs
    this.#waitMs = Math.min(2 * this.#waitMs, mendAgainMs.most)
  }

  #keepCard(isClean: boolean): void {
    const { monotonicMs, log } = this.#doors
    if (this.#database === undefined) return
    this.#cardAtMs = monotonicMs()
    try {
      this.#home.keepCard?.(cardOf(this.#database), isClean)
      this.#isCardFailing = false
    } catch (error) {
      if (!this.#isCardFailing) log.warn({ reason: messageOf(error) }, 'the card of the store could not be written')
      this.#isCardFailing = true
    }
  }
}

export function cardOf({ format, epoch, floor, tables, cursors }: Database): CardFacts {
  return {
    format,
    epoch,
    floor,
    tables: Object.fromEntries([...tables].map(([name, { id, kind, head }]) => [name, { id, kind, head }])),
    cursors: Object.fromEntries(cursors),
  }
}
