/**
 * What a clock that was off has left behind in the states of rules, put right. The changes ride in the commit that tells
 * of the offset, so that a crash leaves both or none.
 */
import type { RuleState } from '../../rules/judge/evaluate.ts'
import { latestMs, shiftState } from '../../rules/judge/shift.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { shiftAfters } from './afters.ts'
import { owner } from './names.ts'
import { trackOf } from './tracks.ts'

/**
 * Moves the states of our own series by `offsetMs`. `laterThanMs`: only those that speak of a later time than this,
 * which nothing honest can. Nobody may be judging meanwhile.
 */
export function shiftRuleStates(
  store: Pick<Store, 'states' | 'origin'>,
  offsetMs: number,
  laterThanMs = Number.NEGATIVE_INFINITY,
): Change[] {
  const changes: Change[] = []
  for (const [key, saved] of store.states(owner)) {
    const { fingerprint, state } = saved as unknown as { fingerprint: string; state: RuleState }
    if (trackOf(key).origin !== store.origin || (latestMs(state) ?? laterThanMs) <= laterThanMs) continue
    const value = { fingerprint, state: shiftState(state, offsetMs) } as unknown as Json
    changes.push({ kind: 'state', owner, key, value })
  }
  return [...changes, ...shiftAfters(store, offsetMs, laterThanMs)]
}
