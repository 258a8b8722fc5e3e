/**
 * What a person, or time, does about parked rows: tries them again, or drops them.
 *
 * Trying again means, for a row that came from a far side, to apply it as if it came now: it is vetted again, and it
 * wins or loses by its own stamp. For a row of ours that could not be sent, that the row as it stands now gets a new
 * position in its log, with its own stamp and origin, so that every far side sees it once more; a reading would then be
 * stored here twice, so a reading can only be dropped.
 *
 * Promises: the row and its leaving `parked` are one commit, so it is applied once; what fails again stays, with the
 * reason of now in the answer. Rows whose stamp was too far ahead are tried by themselves when their time has come.
 */
import { messageOf, systemCode } from '../../errors.ts'
import type { Json, Value } from '../../reading.ts'
import type { Stamp } from '../../stamp.ts'
import type { Change, PeerReading, PeerRecord, Row } from '../../store/types.ts'
import { parkedMax, retryParkedMs } from '../limits.ts'
import { parkedTable, tooFarAhead, vet } from './parked.ts'
import type { StoreDoor } from '../store-door.ts'
import { type ParkedOutcome, type SentAgain, outcomesOf, pollMs, soonMs } from './parked-again.ts'
import type { Doors, StreamStatus } from '../stream.ts'
import { isAboutRows } from '../wire/unfit.ts'

/** The streams of all far sides, to see what became of a row that was sent again; left out, nobody can tell. */
export type ParkedDoors = Omit<Doors, 'randomId'> & { readonly streams?: () => readonly StreamStatus[] }

/** Where rows were kept by the first version, which had no table for them. */
const oldOwner = 'parked'

type Fields = Readonly<Record<string, Json>>

export class ParkedRows {
  readonly #doors: ParkedDoors
  #cancel: () => void = () => {}
  #trying: Promise<void> = Promise.resolve()
  #isClosed = false
  /** One at a time: two that try the same reading again would store it twice. */
  #turn: Promise<unknown> = Promise.resolve()

  /** Takes over what the first version kept, and begins to try again what only needs time. */
  static async open(doors: ParkedDoors): Promise<ParkedRows> {
    const rows = new ParkedRows(doors)
    await takeOver(doors.store)
    rows.#wait()
    return rows
  }

  private constructor(doors: ParkedDoors) {
    this.#doors = doors
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#cancel()
    await this.#trying
  }

  /** Tries rows again, one after the other; all of them without keys. Rejects if the store cannot write. */
  retry(keys: readonly string[] | undefined): Promise<ParkedOutcome[]> {
    return this.#inTurn(() => this.#retry(keys))
  }

  drop(keys: readonly string[] | undefined): Promise<ParkedOutcome[]> {
    return this.#inTurn(() => this.#drop(keys))
  }

  #inTurn(work: () => Promise<ParkedOutcome[]>): Promise<ParkedOutcome[]> {
    const turn = this.#turn.then(work)
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #retry(keys: readonly string[] | undefined): Promise<ParkedOutcome[]> {
    const outcomes = new Map<string, ParkedOutcome>()
    const ours: Row[] = []
    const chosen = keys ?? (await this.#keys())
    for (const key of new Set(chosen)) {
      const row = this.#doors.store.latest(parkedTable, key)
      if (row === undefined) outcomes.set(key, notFound(key))
      else if (key.startsWith('to:')) ours.push(row)
      else outcomes.set(key, await this.#applyRow(row))
    }
    for (const outcome of await this.#sendRows(ours)) outcomes.set(outcome.key, outcome)
    return chosen.flatMap(key => outcomes.get(key) ?? [])
  }

  /** However many copies of a row are parked, it is written again once: every far side will see that. */
  async #sendRows(rows: readonly Row[]): Promise<ParkedOutcome[]> {
    const copies = new Map<string, Row[]>()
    for (const row of rows) {
      const { table, key } = asFields(row.value)
      const name = typeof key === 'string' ? JSON.stringify([table, key]) : row.key
      copies.set(name, [...(copies.get(name) ?? []), row])
    }
    const refused: ParkedOutcome[] = []
    const sent: SentAgain[] = []
    for (const same of copies.values()) {
      const { table, key } = asFields(same[0]?.value ?? null)
      const again = sendAgain(this.#doors.store, table, key)
      const after = this.#doors.store.head(asText(table))
      const reason = 'refused' in again ? again.refused : await this.#commit(again.change, same)
      for (const row of same) {
        if (reason !== undefined) refused.push({ key: row.key, outcome: 'refused', reason })
        else sent.push({ ...sentTo(row), after, upTo: this.#doors.store.head(asText(table)) })
      }
    }
    return [...refused, ...(await this.#cameOf(sent))]
  }

  /** Looks for a moment at what becomes of them: what does not fit is parked anew within it, if its far side is there. */
  async #cameOf(sent: readonly SentAgain[]): Promise<ParkedOutcome[]> {
    const { store, time, streams } = this.#doors
    const endMs = time.monotonicMs() + soonMs
    // What a stream has parked is on the disk a moment after it went on.
    let looksLeft = sent.length === 0 || streams === undefined ? 1 : 2
    for (;;) {
      const isOver = this.#isClosed || time.monotonicMs() >= endMs
      const { outcomes, isSettled } = await outcomesOf(sent, store, streams?.())
      if (isSettled) looksLeft--
      if (looksLeft === 0 || isOver) return outcomes
      await new Promise<void>(resolve => time.after(pollMs, resolve))
    }
  }

  async #drop(keys: readonly string[] | undefined): Promise<ParkedOutcome[]> {
    const { store, log } = this.#doors
    const chosen = keys ?? (await this.#keys())
    const found = new Set(chosen.filter(key => store.latest(parkedTable, key) !== undefined))
    await store.commit([...found].map(gone), 'now')
    if (found.size > 0) log.info({ rows: found.size }, 'parked rows were dropped by command')
    return chosen.map(key => (found.has(key) ? { key, outcome: 'dropped', reason: undefined } : notFound(key)))
  }

  async #keys(): Promise<string[]> {
    const keys: string[] = []
    for await (const { key } of this.#doors.store.rows(parkedTable, { limit: parkedMax })) keys.push(key)
    return keys
  }

  async #applyRow(row: Row): Promise<ParkedOutcome> {
    const { key, value } = row
    const again = this.#applyAgain(asFields(value))
    const reason = 'refused' in again ? again.refused : await this.#commit(again.change, [row])
    return { key, outcome: reason === undefined ? 'applied' : 'refused', reason }
  }

  /** The change and its leaving `parked` in one; or why the store will not have it. */
  async #commit(change: Change, rows: readonly Row[]): Promise<string | undefined> {
    try {
      await this.#doors.store.commit([change, ...rows.map(({ key }) => gone(key))], 'now')
      return undefined
    } catch (error) {
      if (!isAboutRows(error)) throw error
      return `${systemCode(error) ?? ''}: ${messageOf(error)}`
    }
  }

  #applyAgain(fields: Fields): Again {
    const { store, time, clock } = this.#doors
    const again = peerRow(fields, store)
    if ('refused' in again) return again
    const reason = vet(again.row, time.wallMs(), clock?.maxAheadMs)
    return reason === undefined ? again : { refused: reason }
  }

  #wait(): void {
    if (this.#isClosed) return
    this.#cancel = this.#doors.time.after(retryParkedMs, () => {
      this.#trying = this.retryDue()
        .catch((error: unknown) =>
          this.#doors.log.debug({ reason: messageOf(error) }, 'parked rows were not tried again'),
        )
        .then(() => this.#wait())
    })
  }

  /** Tries again what only had a stamp that was too far ahead, and no longer is. */
  async retryDue(): Promise<void> {
    const { store, time, log, clock } = this.#doors
    const due: string[] = []
    for await (const { key, value } of store.rows(parkedTable, { prefix: 'from:', limit: parkedMax })) {
      const { reason, stamp } = asFields(value)
      if (reason !== tooFarAhead || typeof stamp !== 'number') continue
      if (vet({ stamp: stamp as Stamp, key }, time.wallMs(), clock?.maxAheadMs) === undefined) due.push(key)
    }
    if (due.length === 0) return
    const outcomes = await this.retry(due)
    const rows = outcomes.filter(({ outcome }) => outcome === 'applied').length
    if (rows > 0) log.info({ rows }, 'rows whose stamps were too far ahead are applied, now that it is their time')
  }
}

type Refused = { readonly refused: string }
type Again = { readonly change: Change } | Refused

/** The row as its peer sent it, and the change that applies it. */
function peerRow(
  fields: Fields,
  store: StoreDoor,
): { readonly row: PeerRecord | PeerReading; readonly change: Change } | Refused {
  const { stream, table, stamp, origin, key, value, deleted, device, metric } = fields
  const spec = store.tables.get(asText(table))
  if (spec === undefined) return { refused: `there is no table "${asText(table)}" any more` }
  if (value === undefined && deleted !== true)
    return { refused: 'its value was too large to be kept: it can only be dropped' }
  const via = asText(stream).replace(/^from /, '')
  const known = { origin: asText(origin), stamp: stamp as Stamp, joined: false }
  if (spec.kind === 'records') {
    if (typeof key !== 'string') return { refused: 'it is no row of a records table' }
    const record = { ...known, key, value }
    return { row: record, change: { kind: 'apply-records', table: spec.name, via, records: [record] } }
  }
  const { arrival_ms: arrivalMs, device_time_ms: deviceTimeMs, unit, id, boot } = fields
  if (typeof device !== 'string' || typeof metric !== 'string' || typeof arrivalMs !== 'number') {
    return { refused: 'it was parked by an older version, which did not keep all of it: it can only be dropped' }
  }
  const reading = {
    ...known,
    device,
    metric,
    arrivalMs,
    value: value as Value,
    unit: unit === undefined ? undefined : asText(unit),
    id: id === undefined ? undefined : asText(id),
    boot: boot === undefined ? undefined : asText(boot),
    deviceTimeMs: typeof deviceTimeMs === 'number' ? deviceTimeMs : undefined,
  }
  return { row: reading, change: { kind: 'apply-readings', table: spec.name, via, readings: [reading] } }
}

function sendAgain(store: StoreDoor, table: Json | undefined, key: Json | undefined): Again {
  const spec = store.tables.get(asText(table))
  if (spec === undefined) return { refused: `there is no table "${asText(table)}" any more` }
  if (typeof key === 'string') return { change: { kind: 'repeat', table: spec.name, key } }
  return { refused: 'a reading cannot be sent again without being stored twice: it can only be dropped' }
}

/** In one commit, each with a key of its own in the new form; the old positions belong to an epoch that nobody wrote down. */
async function takeOver(store: StoreDoor): Promise<void> {
  const old = [...store.states(oldOwner)]
  if (old.length === 0 || !store.tables.has(parkedTable)) return
  const changes = old.flatMap(([name, state]): Change[] => {
    const { parkedAtMs, value, stream, ...rest } = asFields(state)
    const kept = value === undefined ? { too_large: true } : { value }
    const row = { ...rest, stream: stream ?? '', epoch: 'unknown', parked_ms: parkedAtMs ?? 0, ...kept }
    const key = `${asText(stream).replace(' ', ':')}/${asText(rest['table'])}/unknown/${Number(rest['seq'])}`
    return [
      { kind: 'put', table: parkedTable, key, value: row },
      { kind: 'state', owner: oldOwner, key: name, value: undefined },
    ]
  })
  await store.commit(changes, 'now')
}

const sentTo = ({ key, value }: Row): Omit<SentAgain, 'after' | 'upTo'> => {
  const { stream, table, key: row } = asFields(value)
  return { key, farSide: asText(stream).replace(/^to /, ''), table: asText(table), row: asText(row) }
}
const gone = (key: string): Change => ({ kind: 'delete', table: parkedTable, key })
const notFound = (key: string): ParkedOutcome => ({ key, outcome: 'not found', reason: undefined })
const asText = (value: Json | undefined): string => (typeof value === 'string' ? value : '')

/** People may write into the table too. */
const asFields = (value: Json): Fields =>
  typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
