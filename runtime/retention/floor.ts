/**
 * The disk floor: what must happen so that some of the disk stays free, by how much of it is. Pure.
 *
 *   plenty ──below the floor──> tidy ──> thin ──> drop ──> refuse
 *     ^                           │        │        │        │ (looks again for something to give)
 *     └───────────── an eighth above the floor ─────┴────────┘
 *
 *   tidy    what nobody misses goes: old copies, space in which nothing stands any more
 *   thin    every second reading of the oldest goes, as often as the store allows
 *   drop    the oldest go whole
 *   refuse  nothing is left to give: new readings are refused once the ballast is reached, alerts and rows go on
 *
 * A step is left for the next one only when it has nothing to give any more. Back is from anywhere, at once, and only a
 * good way above the floor, so that a disk at its floor does not go to and fro; above the floor alone once nothing is left.
 */
import type { FreeSpace } from '../units.ts'

export type Pressure = 'plenty' | 'tidy' | 'thin' | 'drop' | 'refuse'

export type Floor = {
  /** Below this there is too little; from `roomyBytes` on there is enough again. */
  readonly bytes: number
  readonly roomyBytes: number
}

/** What `min_free` means where it is a share: at least this, or an eighth of a disk that is small. */
const leastBytes = 256e6
const leastShare = 1 / 8
/** Space must come back by so much of the floor. */
const hysteresis = 1 / 8
/** The floor is above the ballast by so much of it: readings must not be refused before anything was given. */
const ballastsMin = 1.5

/** The floor on a disk of this size; undefined if none is wanted. */
export function floorOf(minFree: FreeSpace, diskBytes: number, ballastBytes: number): Floor | undefined {
  const wanted =
    minFree.kind === 'bytes'
      ? minFree.bytes
      : minFree.share === 0
        ? 0
        : Math.max(minFree.share * diskBytes, Math.min(leastBytes, leastShare * diskBytes))
  if (wanted === 0) return undefined
  const bytes = Math.round(Math.max(wanted, ballastsMin * ballastBytes))
  return { bytes, roomyBytes: Math.round(bytes * (1 + hysteresis)) }
}

const after: Readonly<Record<Exclude<Pressure, 'plenty'>, Pressure>> = {
  tidy: 'thin',
  thin: 'drop',
  drop: 'refuse',
  refuse: 'refuse',
}

/**
 * The state after a look at the disk. `gave` is what the step of this state has given in live bytes since the look before:
 * 0 once it has nothing more to give, undefined if it was not asked.
 */
export function pressureAfter(now: Pressure, freeBytes: number, floor: Floor, gave: number | undefined): Pressure {
  if (now === 'plenty') return freeBytes < floor.bytes ? 'tidy' : 'plenty'
  if (freeBytes >= floor.roomyBytes) return 'plenty'
  const next = gave === 0 ? after[now] : now
  return next === 'refuse' && freeBytes >= floor.bytes ? 'plenty' : next
}
