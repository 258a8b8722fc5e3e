/**
 * What a clock that was off has left behind in the states of rules, put right. The changes ride in the commit that tells
 * of the offset, so that a crash leaves both or none.
 */
import { shiftSaved } from '../../rules/judge/shift.ts'
import { partsOfKey } from '../../rules/judge/track.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { shiftAfters } from './afters.ts'
import { owner } from './names.ts'

/**
 * Moves what was saved of our own series by `offsetMs`. `laterThanMs`: only what speaks of a later time than this,
 * which nothing honest can. Nobody may be judging meanwhile.
 */
export function shiftRuleStates(
  store: Pick<Store, 'states' | 'origin'>,
  offsetMs: number,
  laterThanMs = Number.NEGATIVE_INFINITY,
): Change[] {
  const changes: Change[] = []
  for (const [key, saved] of store.states(owner)) {
    if (partsOfKey(key).origin !== store.origin) continue
    const value = shiftSaved(key, saved, offsetMs, laterThanMs)
    if (value !== undefined) changes.push({ kind: 'state', owner, key, value })
  }
  return [...changes, ...shiftAfters(store, offsetMs, laterThanMs)]
}
