/**
 * How the streams of a restored database go on. Its entries up to the backup are those of the old database; what the old
 * one wrote after that is gone here, and may be at the far sides under the numbers that will now be given to others.
 *
 *   same id     Each stream keeps its epoch until the far side has told its position: up to the head of the backup that
 *               is what it says. Beyond it, the far side has more of the old database than we: the stream begins anew
 *               after that head, under a new epoch (send/lost-end.ts). Rows that were lost are asked for (receive/back.ts).
 *   another id  To far sides we are somebody new. Each stream begins under a new epoch and says what it continues: which
 *               gateway's, which epoch, up to where. The far side starts it from the position that it keeps of that; one
 *               that does not know how starts it after what was confirmed by the time of the backup.
 *   a clone     The old gateway goes on and sends what it has: each stream begins after the head.
 *
 * Promises: all of it is one commit, and the note that asked for it is gone with it.
 */
import { aheadChange } from '../store/ahead.ts'
import type { Json } from '../reading.ts'
import { type Restored, restoredState } from '../store/restored.ts'
import { type Change, type Seq, seqZero } from '../store/types.ts'
import { backOwner, forebearsOwner } from './receive/back.ts'
import { type StreamRecord, streamsOwner } from './send/bookmark.ts'
import { reachChanges, reachOf } from './send/reach.ts'
import type { StoreDoor } from './store-door.ts'

/** What a restored database still has to do; nothing for any other. */
export function restoredChanges(store: StoreDoor, randomId: () => string): Change[] {
  const note = store.state(restoredState.owner, restoredState.key) as Restored | undefined
  if (note === undefined) return []
  const streams = [...(store.states(streamsOwner) as ReadonlyMap<string, unknown> as ReadonlyMap<string, StreamRecord>)]
  const isSame = note.gateway === store.origin
  const changes = streams.flatMap(([cursor, record]): Change[] => {
    const table = cursor.split('/').slice(2).join('/')
    if (!store.tables.has(table)) return []
    const head = store.head(table)
    if (isSame) return reachChanges(cursor, reachOf(store, cursor, head))
    const next = note.is_clone
      ? afresh(randomId(), head)
      : continued(randomId(), record, note.gateway, head, store.cursor(cursor))
    return [
      { kind: 'state', owner: streamsOwner, key: cursor, value: next as unknown as Json },
      ...reachChanges(cursor, undefined),
      ...(note.is_clone ? [{ kind: 'cursor', name: cursor, seq: head } as const, aheadChange(cursor, [])] : []),
    ]
  })
  const own = isSame ? askBack(store, note) : [forebear(note)]
  return [...changes, ...own, { kind: 'state', ...restoredState, value: undefined }]
}

const afresh = (epoch: string, head: Seq): StreamRecord => ({ epoch, floor: head })

function continued(
  epoch: string,
  { epoch: before, floor }: StreamRecord,
  gateway: string,
  head: Seq,
  cursor: Seq | undefined,
): StreamRecord {
  return { epoch, floor, continues: { gateway, epoch: before, seq: head, confirmed: cursor ?? seqZero } }
}

/** Its readings of before the backup are here: a hub that sends them down tells nothing new. */
const forebear = ({ gateway, stamp }: Restored): Change => ({
  kind: 'state',
  owner: forebearsOwner,
  key: gateway,
  value: stamp,
})

const askBack = (store: StoreDoor, { restored_ms }: Restored): Change[] =>
  [...store.tables.values()]
    .filter(({ kind }) => kind === 'records')
    .map(({ name }) => ({ kind: 'state', owner: backOwner, key: name, value: restored_ms }))
