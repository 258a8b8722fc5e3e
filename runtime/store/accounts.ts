/** What the store counts of itself since it was opened, and the account of wear, kept as one fact of the database. */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Pending, mostUrgent } from './committer.ts'
import type { Database } from './database.ts'
import { factKey } from './keys.ts'
import type { StoreOptions, StoreStatus } from './options.ts'
import { type Put, bytesOf } from './put.ts'
import { decodeJson, encodeJson } from './records.ts'
import type { Receipt } from './types.ts'
import { Wear } from './wear.ts'

const wearKey = factKey('wear')

type Counted = Pick<
  StoreStatus,
  'commits' | 'readings' | 'duplicates' | 'failures' | 'repairs' | 'damagedValues' | 'bytesWritten' | 'wear'
>

export class Accounts {
  failures = 0
  repairs = 0
  damagedValues = 0
  #duplicates = 0
  readonly #wear: Wear
  readonly #log: Log

  constructor(database: Database, { now, monotonicMs, disk, log }: StoreOptions) {
    this.#log = log
    const kept = database.get(wearKey)
    const processBytes = (): number | undefined => disk?.writtenBytes()
    this.#wear = new Wear(kept && decodeJson(kept), { now, monotonicMs, processBytes })
  }

  /** What is written for a group: the account rides with it now and then, and is never written alone. */
  withOwn(puts: readonly Put[]): readonly Put[] {
    return puts.length === 0 ? puts : [...puts, ...wearPuts(this.#wear.due())]
  }

  /** Before the database closes. A disk that takes no more is no reason not to: the account stays as it was. */
  async save(database: Database): Promise<void> {
    const account = wearPuts(this.#wear.last())
    if (account.length === 0) return
    await database.write(account).catch((error: unknown) => {
      this.#log.warn({ reason: messageOf(error) }, 'the account of what was written could not be saved')
    })
  }

  /** A group was written, or nothing had to be. */
  wrote(
    puts: readonly Put[],
    accepted: readonly { readonly pending: Pending; readonly receipt: Receipt }[],
    tookMs: number,
  ): void {
    let stored = 0
    for (const { receipt } of accepted) {
      stored += receipt.stored
      this.#duplicates += receipt.duplicates
    }
    if (puts.length === 0) return
    this.#wear.wrote(bytesOf(puts), stored, mostUrgent(accepted.map(({ pending }) => pending)), tookMs)
  }

  status(): Counted {
    const { failures, repairs, damagedValues } = this
    const wear = this.#wear.status()
    const { commits, readings, storeBytes } = wear.sinceStart
    return {
      commits,
      readings,
      duplicates: this.#duplicates,
      failures,
      repairs,
      damagedValues,
      bytesWritten: storeBytes,
      wear,
    }
  }
}

const wearPuts = (account: ReturnType<Wear['due']>): readonly Put[] =>
  account === undefined ? [] : [{ key: wearKey, value: encodeJson(account) }]
