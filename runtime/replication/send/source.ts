/**
 * Where the entries of a published stream come from: the log of its table, what is selected of it, or a log of summaries
 * that is told under the table's name. Senders know of one table only; here it gets another log underneath.
 *
 * Promises: another log is another stream to the far side, with an epoch and a cursor of its own, because its positions
 * mean other entries.
 */
import { crc32 } from 'node:zlib'
import type { Seq } from '../../store/types.ts'
import type { StreamStart } from './bookmark.ts'
import { type Choose, Selection, type SelectionOptions } from './selection.ts'
import type { StoreDoor } from '../store-door.ts'

export type SourceOptions = {
  readonly table: string
  readonly start: StreamStart
  readonly selection?: SelectionOptions | undefined
  /** True for what nobody named and a hub should have all the same: one that does not take it is no trouble. */
  readonly isImplied?: boolean | undefined
  /** The log that is read instead of the table's. What is chosen was chosen before it was written. */
  readonly summaries?: { readonly log: string; readonly undecided: () => number } | undefined
}

/** What is sent of each entry, and how many there were without an answer. */
export type Chosen = { readonly choose: Choose | undefined; readonly undecided: number }

export type Source = {
  readonly table: string
  readonly cursor: string
  readonly start: StreamStart
  readonly selection: Chosen | undefined
}

export function sourceOf({ table, start, selection, summaries }: SourceOptions, bridge: string): Source {
  const cursor = cursorOf(bridge, summaries?.log ?? table)
  if (summaries === undefined) return { table, cursor, start, selection: selection && new Selection(selection) }
  const chosen = {
    choose: undefined,
    get undecided() {
      return summaries.undecided()
    },
  }
  return { table, cursor, start: 'beginning', selection: chosen }
}

export const cursorOf = (bridge: string, log: string): string => `bridge/${bridge}/${log}`

/** The doors of a stream: behind the table's name stands the log that it reads. */
export function doorsTo<Doors extends { readonly store: StoreDoor }>(
  doors: Doors,
  { table, summaries }: SourceOptions,
): Doors {
  if (summaries === undefined) return doors
  return { ...doors, store: renamed(doors.store, table, summaries.log) }
}

function renamed(store: StoreDoor, table: string, log: string): StoreDoor {
  const logOf = (name: string): string => (name === table ? log : name)
  return {
    origin: store.origin,
    get epoch() {
      // At most 64 bytes, as a hello takes them.
      return `${store.epoch.slice(0, 48)}-${crc32(log).toString(36)}`
    },
    get tables() {
      return store.tables
    },
    commit: (changes, urgency) => store.commit(changes, urgency),
    head: name => store.head(logOf(name)),
    lostEnds: { of: name => store.lostEnds.of(logOf(name)) },
    firstSeq: name => store.firstSeq(logOf(name)),
    latest: (name, key) => store.latest(name, key),
    rows: (name, options) => store.rows(name, options),
    cursor: name => store.cursor(name),
    state: (owner, key) => store.state(owner, key),
    states: owner => store.states(owner),
    read: (name, after: Seq, limit) => store.read(logOf(name), after, limit),
    waitPast: (name, seq, signal) => store.waitPast(logOf(name), seq, signal),
  }
}
