/**
 * A rule's state after its gateway has found out that its clock was off: the same state, as if the clock had been right
 * all along. Pure.
 *
 * Promises: a hold or a clearing goes on with as much of its time left as before, so that a corrected clock pages nobody.
 * An alert that fires keeps the times that it was raised with, for they are its identity at every peer.
 */
import type { RuleState } from './evaluate.ts'

export function shiftState(state: RuleState, offsetMs: number): RuleState {
  switch (state.kind) {
    case 'ok':
      return state.floorMs === undefined ? state : { ...state, floorMs: state.floorMs + offsetMs }
    case 'pending':
      return { ...state, sinceMs: state.sinceMs + offsetMs, dueMs: state.dueMs + offsetMs }
    case 'firing':
      return { ...state, floorMs: state.floorMs + offsetMs }
    case 'clearing':
      return { ...state, clearMs: state.clearMs + offsetMs, dueMs: state.dueMs + offsetMs }
  }
}

/** The latest moment that a state speaks of; undefined if it speaks of none. */
export function latestMs(state: RuleState): number | undefined {
  return state.kind === 'pending' || state.kind === 'clearing' ? state.dueMs : state.floorMs
}
