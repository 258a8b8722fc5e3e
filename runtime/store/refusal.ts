/** What the store refuses while it is not wholly open, and with which words. Pure. */
import { HoldfastError } from '../errors.ts'
import type { Change } from './types.ts'

/** open: all is taken. full: no readings. failed and closing: nothing. */
export type StoreState = 'open' | 'full' | 'failed' | 'closing'

/** Why these changes cannot be taken now, or undefined if they can. */
export function refusalOf(
  state: StoreState,
  reason: string | undefined,
  changes: readonly Change[],
): HoldfastError | undefined {
  switch (state) {
    case 'failed':
      return new HoldfastError('STORE_FAILED', `the store cannot write: ${reason}`, 'it tries again by itself')
    case 'closing':
      return new HoldfastError('STORE_CLOSED', 'the store is closing')
    case 'full':
      if (!changes.some(givesWay)) return undefined
      return new HoldfastError(
        'STORE_FULL',
        'the disk is nearly full, so no new readings are taken',
        'free some space; the gateway goes on by itself',
      )
    case 'open':
      return undefined
  }
}

/** What must not take the last of the space. Forgetting is always taken: it gives space back. */
function givesWay(change: Change): boolean {
  if (change.kind === 'keep') return change.bytes !== undefined && change.whenFull === 'refuse'
  return change.kind === 'append' || change.kind === 'apply-readings'
}

/** What everybody is told whose commit was in a write that failed. */
export const writeFailed = (reason: string, error: unknown): HoldfastError =>
  new HoldfastError('STORE_FAILED', `the store could not write: ${reason}`, 'it tries again by itself', error)
