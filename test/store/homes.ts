/** The two homes that the store suite runs on: a folder on disk, and memory. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { MemoryLevel } from 'memory-level'
import { silentLog } from '../../runtime/log.ts'
import { type Stamp, stampAt, stampPlus, stampZero } from '../../runtime/stamp.ts'
import type { Home, Level } from '../../runtime/store/home.ts'
import type { StoreOptions } from '../../runtime/store/options.ts'
import { Store } from '../../runtime/store/store.ts'
import type { Stamps, TableSpec } from '../../runtime/store/types.ts'

export const specs: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  { name: 'thresholds', kind: 'records' },
  { name: 'alerts', kind: 'records' },
]

/** A hybrid clock in its plainest form, over a wall clock that the test holds. */
export function testStamps(wallMs: () => number = () => 1_700_000_000_000): Stamps {
  let last = stampZero
  return {
    take(count: number): Stamp {
      const first = Math.max(stampAt(wallMs()), last + 1) as Stamp
      last = stampPlus(first, count - 1)
      return first
    },
    observe(stamp: Stamp): void {
      if (stamp > last) last = stamp
    },
    get last() {
      return last
    },
  }
}

/** A place that can be opened again and again: `reopen` is what a restart is. */
export type Place = {
  open(options?: Partial<StoreOptions>): Promise<Store>
  remove(): void
  /** Iterators of the database that were opened and not closed: each pins memory and space [L11]. */
  openIterators?(): number
}

export function diskPlace(): Place {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-store-'))
  return {
    open: options => Store.open({ ...defaults(path), ...options }),
    remove: () => rmSync(path, { recursive: true, force: true }),
  }
}

export function memoryPlace(): Place {
  const kept = new MemoryLevel<Buffer, Buffer>({ keyEncoding: 'buffer', valueEncoding: 'buffer' })
  let iterators = 0
  const counted = (...range: Parameters<typeof kept.iterator>): ReturnType<typeof kept.iterator> => {
    const iterator = kept.iterator(...range)
    const close = iterator.close.bind(iterator)
    iterators++
    iterator.close = () => {
      iterators--
      return close()
    }
    return iterator
  }
  // Closing a memory database would forget it; a restart must find what was there.
  const level = new Proxy(kept, {
    get: (target, name) => {
      if (name === 'close') return () => Promise.resolve()
      if (name === 'iterator') return counted
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  }) as unknown as Level
  const home: Home = {
    open: async () => {
      await kept.open()
      return { level, repaired: false }
    },
    settle: () => undefined,
    isFull: () => false,
    close: () => Promise.resolve(),
  }
  return {
    open: options => Store.open({ ...defaults('memory'), home, ...options }),
    remove: () => undefined,
    openIterators: () => iterators,
  }
}

function defaults(path: string): StoreOptions {
  return {
    path,
    tables: specs,
    stamps: testStamps(),
    origin: 'gw-1',
    commitIntervalMs: 0,
    ballastBytes: 1 << 20,
    logRoomBytes: 16 << 10,
    monotonicMs: () => performance.now(),
    now: () => Date.now(),
    log: silentLog,
  }
}
