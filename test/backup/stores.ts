/** Stores in a folder that the test names. */
import { silentLog } from '../../runtime/log.ts'
import type { StoreOptions } from '../../runtime/store/options.ts'
import { Store } from '../../runtime/store/store.ts'
import { specs, testStamps } from '../store/homes.ts'

export const storeIn = (path: string, options: Partial<StoreOptions> = {}): Promise<Store> =>
  Store.open({
    path,
    tables: specs,
    stamps: testStamps(),
    origin: 'gw-1',
    commitIntervalMs: 0,
    ballastBytes: 0,
    monotonicMs: () => performance.now(),
    now: () => Date.now(),
    log: silentLog,
    ...options,
  })
