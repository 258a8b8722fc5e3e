/**
 * A pretend disk with a LevelDB on it, as far as the store asks for one: ordered keys, atomic batches, snapshots.
 *
 * It has the manners of the real one that cost data: what was not synced is gone after a power cut; a write that failed
 * may be there all the same; after a failed write the same handle goes on accepting writes and loses them (failures F1),
 * which here is a violation of its own. A write takes time, and whoever dies meanwhile never learns how it ended.
 */
import type { Random } from '../rigs/random.ts'
import type { Home, Level } from '../../runtime/store/home.ts'
import type { Time } from '../../runtime/replication/time.ts'

type Pair = { readonly key: Buffer; readonly value: Buffer }
type Put = { readonly key: Buffer; readonly value: Buffer | undefined }
export type Image = readonly Pair[]

type Range = {
  readonly gte?: Buffer
  readonly lt?: Buffer
  readonly reverse?: boolean
  readonly limit?: number
}

/** The weather on one disk; faults.ts changes it. */
export type DiskWeather = { failChance: number; isDead: boolean; isFull: boolean; slowMs: number }

export class Disk {
  readonly weather: DiskWeather = { failChance: 0, isDead: false, isFull: false, slowMs: 8 }
  readonly #random: Random
  readonly #violate: (what: string) => void
  readonly #pairs = new Map<string, Pair>()
  #names: string[] = []
  /** How to take back what was written since the last sync. */
  #unsynced: (() => void)[] = []
  /** Writes on their way: after a death nobody knows whether they have happened. */
  readonly #flying = new Set<readonly Put[]>()
  writes = 0

  constructor(random: Random, violate: (what: string) => void) {
    this.#random = random
    this.#violate = violate
  }

  /** What a backup would copy. */
  image(): Image {
    return this.#names.map(name => this.#pairs.get(name) as Pair)
  }

  /** The card is replaced by an older copy of itself. Nobody may have it open. */
  restore(image: Image): void {
    this.#pairs.clear()
    for (const pair of image) this.#pairs.set(nameOf(pair.key), pair)
    this.#names = image.map(({ key }) => nameOf(key))
    this.#unsynced = []
    this.#flying.clear()
  }

  /** The process is gone, and with the power what was not synced. Writes on their way have happened or not. */
  abandon(hasPower: boolean): void {
    if (!hasPower) for (const undo of this.#unsynced.splice(0).toReversed()) undo()
    for (const puts of this.#flying) if (this.#random.next() < 0.5) this.#apply(puts)
    this.#flying.clear()
  }

  home(time: Time): Home {
    return {
      open: async () => {
        await new Promise<void>(resolve => time.after(1 + this.#random.below(20), resolve))
        this.#check()
        return { level: this.#open(time), repaired: false }
      },
      settle: () => undefined,
      isFull: () => this.weather.isFull,
      close: () => Promise.resolve(),
    }
  }

  #check(): void {
    if (this.weather.isDead) throw new Error('the pretend disk does not answer (EIO)')
  }

  #open(time: Time): Level {
    let isTorn = false
    let isClosed = false
    const write = (puts: readonly Put[], isSynced: boolean): Promise<void> =>
      new Promise((resolve, reject) => {
        if (isClosed) return reject(new Error('the pretend database is closed'))
        this.#flying.add(puts)
        time.after(this.#latencyMs(), () => {
          this.#flying.delete(puts)
          this.writes++
          if (isTorn) {
            this.#violate('a write went to a handle whose last write had failed: it would be lost (F1)')
            return resolve()
          }
          const fails = this.weather.isDead || this.#random.next() < this.weather.failChance
          isTorn = fails
          if (!fails || (!this.weather.isDead && this.#random.next() < 0.4)) this.#apply(puts)
          if (fails) return reject(new Error('the pretend disk failed a write (EIO)'))
          if (isSynced) this.#unsynced = []
          resolve()
        })
      })
    const level = {
      getSync: (key: Buffer): Buffer | undefined => {
        this.#check()
        return this.#pairs.get(nameOf(key))?.value
      },
      batch: () => new Batch(write),
      iterator: (range: Range) => new Iterator(this.#slice(range), () => this.#check()),
      clear: (range: Range): Promise<void> => {
        this.#apply(this.#slice(range).map(({ key }) => ({ key, value: undefined })))
        return Promise.resolve()
      },
      close: (): Promise<void> => {
        isClosed = true
        return Promise.resolve()
      },
    }
    return level as unknown as Level
  }

  #latencyMs(): number {
    return 0.5 + this.#random.next() * this.weather.slowMs
  }

  #apply(puts: readonly Put[]): void {
    for (const { key, value } of puts) {
      const name = nameOf(key)
      const before = this.#pairs.get(name)
      this.#set(name, value === undefined ? undefined : { key: Buffer.from(key), value: Buffer.from(value) })
      this.#unsynced.push(() => this.#set(name, before))
    }
  }

  #set(name: string, pair: Pair | undefined): void {
    const isKnown = this.#pairs.has(name)
    if (pair !== undefined) {
      if (!isKnown) this.#names.splice(this.#placeOf(name), 0, name)
      this.#pairs.set(name, pair)
    } else if (isKnown) {
      this.#names.splice(this.#placeOf(name), 1)
      this.#pairs.delete(name)
    }
  }

  #placeOf(name: string): number {
    let low = 0
    let high = this.#names.length
    while (low < high) {
      const middle = (low + high) >> 1
      if ((this.#names[middle] as string) < name) low = middle + 1
      else high = middle
    }
    return low
  }

  #slice({ gte, lt, reverse = false, limit = -1 }: Range): Pair[] {
    const from = gte === undefined ? 0 : this.#placeOf(nameOf(gte))
    const to = lt === undefined ? this.#names.length : this.#placeOf(nameOf(lt))
    const count = limit < 0 ? to - from : Math.min(limit, to - from)
    const names = reverse ? this.#names.slice(to - count, to).toReversed() : this.#names.slice(from, from + count)
    return names.map(name => this.#pairs.get(name) as Pair)
  }
}

/** Bytes as a text whose order is theirs. */
const nameOf = (key: Buffer): string => key.toString('latin1')

class Batch {
  readonly #puts: Put[] = []
  readonly #write: (puts: readonly Put[], isSynced: boolean) => Promise<void>

  constructor(write: (puts: readonly Put[], isSynced: boolean) => Promise<void>) {
    this.#write = write
  }

  put(key: Buffer, value: Buffer): this {
    this.#puts.push({ key, value })
    return this
  }

  del(key: Buffer): this {
    this.#puts.push({ key, value: undefined })
    return this
  }

  write({ sync }: { readonly sync?: boolean } = {}): Promise<void> {
    return this.#write(this.#puts, sync === true)
  }
}

class Iterator {
  readonly #pairs: readonly Pair[]
  readonly #check: () => void
  #at = 0

  constructor(pairs: readonly Pair[], check: () => void) {
    this.#pairs = pairs
    this.#check = check
  }

  async next(): Promise<[Buffer, Buffer] | undefined> {
    return (await this.nextv(1))[0]
  }

  async nextv(count: number): Promise<[Buffer, Buffer][]> {
    this.#check()
    const found = this.#pairs.slice(this.#at, this.#at + count)
    this.#at += found.length
    return found.map(({ key, value }) => [key, value])
  }

  async close(): Promise<void> {}
}
