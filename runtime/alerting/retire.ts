/**
 * What becomes of the states of rules that are no longer in force: a meaning that changed starts fresh, and an alert that
 * stood under it ends and says why. Also where the device has other labels by now than those that its rule chooses.
 */
import { matchesPattern } from '../../rules/match.ts'
import { type KeyParts, type SavedTrack, asSavedTrack, partsOfKey } from '../../rules/judge/track.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import type { DeviceLabels } from './device-labels.ts'
import { alertsTable, keyOf, owner } from './names.ts'

/** Rows of alerts that are ended in one commit: a few megabytes, however many there are. */
const endedMax = 64

/** Each list is a commit of its own: a state and the end of its alerts are never apart [I3]. */
export function* retired(store: Store, rules: readonly Rule[], labels: DeviceLabels, nowMs: number) {
  const inForce = new Map(rules.map(rule => [rule.id, rule]))
  let changes: Change[] = []
  for (const [key, value] of store.states(owner)) {
    const parts = partsOfKey(key)
    const reason = parts.rule === '' ? undefined : reasonToEnd(parts, asSavedTrack(value), inForce, labels)
    if (reason === undefined) continue
    changes.push(
      { kind: 'state', owner, key, value: undefined },
      ...endsOf(store, parts, asSavedTrack(value), reason, nowMs),
    )
    if (changes.length < endedMax) continue
    yield changes
    changes = []
  }
  if (changes.length > 0) yield changes
}

function reasonToEnd(
  { rule: id, device }: KeyParts,
  saved: SavedTrack | undefined,
  inForce: ReadonlyMap<string, Rule>,
  labels: DeviceLabels,
): string | undefined {
  const rule = inForce.get(id)
  if (!rule) return 'rule removed'
  if (rule.fingerprint !== saved?.fingerprint) return 'rule changed'
  const wanted = rule.per === 'all' ? [] : Object.entries(rule.match.labels)
  if (wanted.length === 0) return undefined
  const known = labels.of(device)
  const isChosen = wanted.every(
    ([name, pattern]) => Object.hasOwn(known, name) && matchesPattern(pattern, known[name] ?? ''),
  )
  return isChosen ? undefined : 'the labels of the device have changed'
}

/** The rows of alerts that stand under a state, resolved: the one that fires, and one of history. */
function endsOf(
  store: Store,
  { rule, ...subject }: KeyParts,
  saved: SavedTrack | undefined,
  reason: string,
  nowMs: number,
): Change[] {
  const lanes = [
    { state: saved?.state, late: false },
    { state: saved?.late?.state, late: true },
  ]
  return lanes.flatMap(({ state, late }): Change[] => {
    if (!state || !('episode' in state)) return []
    const key = keyOf(store.origin, rule, subject, state.episode.firedMs, late)
    const row = store.latest(alertsTable, key)
    if (!row) return []
    const ended = { ...(row.value as object), state: 'resolved', resolved_ms: nowMs, resolved_reason: reason }
    return [{ kind: 'put', table: alertsTable, key, value: ended as unknown as Json }]
  })
}
