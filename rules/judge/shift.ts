/**
 * What the judge has saved, after its gateway has found out that its clock was off: the same as if the clock had been
 * right all along. Pure.
 *
 * Promises: a hold, a clearing or a silence goes on with as much of its time left as before, so that a corrected clock
 * pages nobody. An alert that fires keeps the times that it was raised with, for they are its identity at every peer; what
 * came late keeps its own time, which was never the gateway's.
 */
import type { Json } from '../../runtime/reading.ts'
import type { Episode, RuleState } from './evaluate.ts'
import type { SavedLag } from './lag.ts'
import { partsOfKey, type SavedTrack } from './track.ts'

/**
 * What is to be saved under a key instead; undefined where it stays. `laterThanMs`: only what speaks of a later time than
 * this, which nothing honest can.
 */
export function shiftSaved(key: string, saved: Json, offsetMs: number, laterThanMs: number): Json | undefined {
  if (partsOfKey(key).rule === '') {
    const { passedMs } = saved as { readonly passedMs?: number }
    if (passedMs !== undefined) return passedMs > laterThanMs ? { passedMs: passedMs + offsetMs } : undefined
    // What nothing honest can say is a time; how far a series lies behind is not one.
    return laterThanMs > Number.NEGATIVE_INFINITY ? undefined : shiftLag(saved as unknown as SavedLag, offsetMs)
  }
  const track = saved as unknown as SavedTrack
  const latest = Math.max(latestMs(track.state) ?? Number.NEGATIVE_INFINITY, track.heardMs ?? Number.NEGATIVE_INFINITY)
  if (laterThanMs > Number.NEGATIVE_INFINITY && latest <= laterThanMs) return undefined
  return shiftTrack(track, offsetMs)
}

function shiftTrack(saved: SavedTrack, offsetMs: number): SavedTrack {
  const { late, heardMs } = saved
  return {
    ...saved,
    state: shiftState(saved.state, offsetMs),
    ...(late && { late: { ...late, closesMs: late.closesMs + offsetMs } }),
    ...(heardMs !== undefined && { heardMs: heardMs + offsetMs }),
  }
}

/** How far readings lie behind their arrival: arrivals have moved, what devices say has not. */
function shiftLag(saved: SavedLag, offsetMs: number): SavedLag {
  const { leastMs, risenMs, sinceMs, formerMs } = saved
  return {
    ...saved,
    leastMs: leastMs + offsetMs,
    ...(risenMs !== undefined && { risenMs: risenMs + offsetMs }),
    ...(sinceMs !== undefined && { sinceMs: sinceMs + offsetMs }),
    ...(formerMs !== undefined && { formerMs: formerMs + offsetMs }),
  }
}

export function shiftState(state: RuleState, offsetMs: number): RuleState {
  switch (state.kind) {
    case 'ok':
      return {
        ...state,
        ...(state.floorMs !== undefined && { floorMs: state.floorMs + offsetMs }),
        ...shiftRecent(state, offsetMs),
      }
    case 'pending':
      return {
        ...state,
        sinceMs: state.sinceMs + offsetMs,
        dueMs: state.dueMs + offsetMs,
        ...shiftRecent(state, offsetMs),
      }
    case 'firing':
    case 'latched':
      return { ...state, episode: shiftEpisode(state.episode, offsetMs), floorMs: state.floorMs + offsetMs }
    case 'clearing':
      return {
        ...state,
        episode: shiftEpisode(state.episode, offsetMs),
        clearMs: state.clearMs + offsetMs,
        dueMs: state.dueMs + offsetMs,
      }
    case 'returning':
      return {
        ...state,
        episode: shiftEpisode(state.episode, offsetMs),
        sinceMs: state.sinceMs + offsetMs,
        dueMs: state.dueMs + offsetMs,
      }
  }
}

/** Since when, and when it fired, stay; how long ago it fired before is counted on. */
function shiftEpisode(episode: Episode, offsetMs: number): Episode {
  return { ...episode, ...shiftRecent(episode, offsetMs) }
}

function shiftRecent({ recent }: { readonly recent?: readonly number[] }, offsetMs: number): { recent?: number[] } {
  return recent ? { recent: recent.map(ms => ms + offsetMs) } : {}
}

/** The latest moment that a state speaks of; undefined if it speaks of none. */
function latestMs(state: RuleState): number | undefined {
  switch (state.kind) {
    case 'pending':
    case 'clearing':
    case 'returning':
      return state.dueMs
    default:
      return state.floorMs
  }
}
