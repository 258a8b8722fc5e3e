/**
 * What became of rows of ours that were written again because they could not be sent: parked anew, there, or not known
 * yet. Only looks, at what the streams and the table `parked` say now; who asks decides how long.
 */
import type { Json } from '../../reading.ts'
import type { Seq } from '../../store/types.ts'
import { parkedMax } from '../limits.ts'
import { parkedTable } from './parked.ts'
import type { StoreDoor } from '../store-door.ts'
import type { StreamStatus } from '../stream.ts'

/** What came of one key: refused and not found are still, anew, or never were, in `parked`. */
export type ParkedOutcome = {
  readonly key: string
  readonly outcome: 'applied' | 'sent again' | 'dropped' | 'refused' | 'not found'
  readonly reason: string | undefined
}

export type SentAgain = {
  /** Under which it was parked. */
  readonly key: string
  readonly farSide: string
  readonly table: string
  /** The row's own key. */
  readonly row: string
  /** It was written again after the first and not after the second of these positions. */
  readonly after: Seq
  readonly upTo: Seq
}

/** Somebody waits for the answer; a far side that is there has mostly answered by then. */
export const soonMs = 3_000
export const pollMs = 250

/** `isSettled`: nothing more will be known soon. */
export type CameOf = { readonly outcomes: ParkedOutcome[]; readonly isSettled: boolean }

export async function outcomesOf(
  sent: readonly SentAgain[],
  store: StoreDoor,
  streams: readonly StreamStatus[] | undefined,
): Promise<CameOf> {
  if (sent.length === 0) return { outcomes: [], isSettled: true }
  const anew = await parkedNow(store)
  let isSettled = true
  const outcomes = sent.map(({ key, farSide, table, row, after, upTo }): ParkedOutcome => {
    const again = anew.get(nameOf(farSide, table, row))
    if (again !== undefined && again.seq > after) {
      return { key, outcome: 'refused', reason: `written again, and parked anew as ${again.key}: ${again.reason}` }
    }
    const stream = streams?.find(one => one.direction === 'send' && one.bridge === farSide && one.table === table)
    if (stream !== undefined && stream.confirmed >= upTo) {
      return { key, outcome: 'sent again', reason: `${farSide} has answered for it` }
    }
    if (stream?.state === 'idle' || stream?.state === 'moving') isSettled = false
    return { key, outcome: 'sent again', reason: notKnown }
  })
  return { outcomes, isSettled }
}

const notKnown = 'written again for every far side of its table; what does not fit there is parked anew'

type Anew = { readonly key: string; readonly seq: number; readonly reason: string }

async function parkedNow(store: StoreDoor): Promise<ReadonlyMap<string, Anew>> {
  const rows = new Map<string, Anew>()
  for await (const { key, value } of store.rows(parkedTable, { prefix: 'to:', limit: parkedMax })) {
    const fields = value as { readonly [name: string]: Json | undefined } | null
    const { stream, table, key: row, seq, reason } = fields ?? {}
    if (typeof stream !== 'string' || typeof table !== 'string' || typeof row !== 'string') continue
    const name = nameOf(stream.replace(/^to /, ''), table, row)
    if (typeof seq !== 'number' || seq <= (rows.get(name)?.seq ?? 0)) continue
    rows.set(name, { key, seq, reason: typeof reason === 'string' ? reason : '' })
  }
  return rows
}

const nameOf = (farSide: string, table: string, row: string): string => JSON.stringify([farSide, table, row])
