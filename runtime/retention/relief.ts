/**
 * Keeps some of the disk free: looks at it, and while it is below its floor has the store give back, oldest first, in
 * small portions, until there is room again. Nobody calls for it and nobody waits for it.
 *
 * Promises: what goes is what floor.ts says, in its order; a portion is never larger than what is missing, or than what
 * the disk has room to write while it is rewritten; one line in the log when it begins and one when it is over. It never
 * rejects: a disk that does not answer is asked again. It writes nothing itself.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { DiskSpace } from '../store/disk-space.ts'
import { type Floor, type Pressure, pressureAfter } from './floor.ts'
import {
  leastEffect,
  leastPortionBytes,
  portionBytesMax,
  refusedLooks,
  thinningRoomBytes,
  vainBytes,
} from './limits.ts'

export type ReliefDoors = {
  readonly space: () => Promise<DiskSpace>
  /** Undefined: no floor is wanted. */
  readonly floorOf: (diskBytes: number) => Floor | undefined
  /** What gives: bytes that nobody needs any more, 0 if there are none. */
  readonly tidy: () => Promise<number>
  /** Takes about so many bytes of readings out of the store; tells how many it were, 0 if there is nothing left. */
  readonly thin: (bytes: number) => Promise<number>
  readonly drop: (bytes: number) => Promise<number>
  /** What the database takes on disk, as nearly as it knows. */
  readonly storeBytes: () => Promise<number | undefined>
  readonly log: Log
}

export type ReliefStatus = {
  readonly pressure: Pressure
  readonly freeBytes: number | undefined
  readonly diskBytes: number | undefined
  readonly floorBytes: number | undefined
  /** Since the start: bytes of readings, as they count for limits. */
  readonly thinnedBytes: number
  readonly droppedBytes: number
}

export class Relief {
  readonly #doors: ReliefDoors
  #pressure: Pressure = 'plenty'
  #space: DiskSpace | undefined
  #floor: Floor | undefined
  #thinnedBytes = 0
  #droppedBytes = 0
  #episode = { thinned: 0, dropped: 0, told: new Set<Pressure>() }
  /** Given, and what the database took, since its size was last seen to follow. */
  #effect: { gave: number; readonly storeBytes: number } | undefined
  #isBlind = false
  #waits = 0
  #isClosed = false

  constructor(doors: ReliefDoors) {
    this.#doors = doors
  }

  close(): void {
    this.#isClosed = true
  }

  status(): ReliefStatus {
    return {
      pressure: this.#pressure,
      freeBytes: this.#space?.freeBytes,
      diskBytes: this.#space?.totalBytes,
      floorBytes: this.#floor?.bytes,
      thinnedBytes: this.#thinnedBytes,
      droppedBytes: this.#droppedBytes,
    }
  }

  /** Looks at the disk, and gives until there is room or nothing is left to give. */
  async look(): Promise<void> {
    try {
      let gave: number | undefined
      while (!this.#isClosed) {
        const free = await this.#measure(gave)
        if (free === undefined || this.#pressure === 'plenty') return
        if (this.#waits > 0) {
          this.#waits--
          return
        }
        if (this.#pressure === 'refuse') this.#pressure = 'tidy'
        this.#effect ??= await this.#sizeNow()
        gave = await this.#give(free)
        if (await this.#isInVain(gave)) return
        if (this.#pressure === 'drop' && gave === 0) this.#waits = refusedLooks
      }
    } catch (error) {
      if (!this.#isBlind)
        this.#doors.log.warn({ reason: messageOf(error) }, 'the disk could not be kept free: trying again')
      this.#isBlind = true
      // There may be too little room to write what stays of thinned readings.
      if (this.#pressure === 'thin') this.#pressure = 'drop'
    }
  }

  /** What is free, if there is a floor. */
  async #measure(gave: number | undefined): Promise<number | undefined> {
    this.#space = await this.#doors.space()
    const { freeBytes, totalBytes } = this.#space
    this.#isBlind = false
    this.#floor = this.#doors.floorOf(totalBytes)
    if (this.#floor === undefined) return undefined
    const before = this.#pressure
    this.#pressure = pressureAfter(before, freeBytes, this.#floor, gave)
    if (this.#pressure !== before) this.#tellOf(freeBytes, this.#floor)
    return freeBytes
  }

  /**
   * Readings are gone, and the database is as large as it was: somebody reads it as it was before, such as a backup. More
   * would be lost for nothing: it waits.
   */
  async #isInVain(gave: number): Promise<boolean> {
    const now = await this.#sizeNow()
    if (this.#effect === undefined || now === undefined) return false
    this.#effect.gave += gave
    const came = this.#effect.storeBytes - now.storeBytes
    if (came >= this.#effect.gave * leastEffect) this.#effect = now
    if (this.#effect.gave < vainBytes) return false
    this.#effect = undefined
    this.#waits = refusedLooks
    const free_bytes = this.#space?.freeBytes
    this.#doors.log.warn({ free_bytes }, 'space that readings have left is not free yet: no more go for a minute')
    return true
  }

  async #sizeNow(): Promise<{ gave: number; readonly storeBytes: number } | undefined> {
    const storeBytes = await this.#doors.storeBytes()
    return storeBytes === undefined ? undefined : { gave: 0, storeBytes }
  }

  async #give(free: number): Promise<number> {
    const missing = (this.#floor?.roomyBytes ?? 0) - free
    const portion = Math.max(leastPortionBytes, Math.min(missing, portionBytesMax))
    switch (this.#pressure) {
      case 'tidy':
        return this.#doors.tidy()
      case 'thin': {
        // Readings that stay are written before the old ones go: without the room for it they are dropped instead.
        if (free < thinningRoomBytes) return 0
        const bytes = await this.#doors.thin(portion)
        this.#thinnedBytes += bytes
        this.#episode.thinned += bytes
        if (bytes > 0) this.#tellOnce(free)
        return bytes
      }
      case 'drop': {
        const bytes = await this.#doors.drop(portion)
        this.#droppedBytes += bytes
        this.#episode.dropped += bytes
        if (bytes > 0) this.#tellOnce(free)
        return bytes
      }
      case 'plenty':
      case 'refuse':
        return 0
    }
  }

  #tellOf(freeBytes: number, { bytes: floorBytes }: Floor): void {
    if (this.#pressure === 'tidy' || this.#pressure === 'refuse') this.#tellOnce(freeBytes)
    if (this.#pressure !== 'plenty') return
    const { thinned, dropped } = this.#episode
    this.#episode = { thinned: 0, dropped: 0, told: new Set() }
    this.#effect = undefined
    this.#waits = 0
    const seen = { free_bytes: freeBytes, floor_bytes: floorBytes, thinned_bytes: thinned, dropped_bytes: dropped }
    this.#doors.log.info(seen, 'the disk is above store.min_free again')
  }

  /** Each step of an episode once. */
  #tellOnce(freeBytes: number): void {
    if (this.#pressure === 'plenty' || this.#episode.told.has(this.#pressure)) return
    this.#episode.told.add(this.#pressure)
    const { log } = this.#doors
    const seen = { free_bytes: freeBytes, floor_bytes: this.#floor?.bytes }
    if (this.#pressure === 'refuse') log.error(seen, sentences.refuse)
    else log.warn(seen, sentences[this.#pressure])
  }
}

const sentences = {
  tidy: 'the disk is below store.min_free: space is being made',
  thin: 'the oldest readings are being thinned, because the disk is below store.min_free',
  drop: 'the oldest readings are being dropped, because the disk is below store.min_free',
  refuse: 'the disk is below store.min_free, and nothing is left to be dropped: free some space',
}
