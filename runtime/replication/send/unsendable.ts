/**
 * Entries that can't travel to the far side: kept in `parked` for a person to look at. The stream does not wait for
 * that: it must flow though the disk is full, and then they are in the log line alone. A hub is told of them as gaps; of
 * what a plain broker refuses, and of what finds no room in `parked`, a row in `gaps` tells here.
 */
import { messageOf } from '../../errors.ts'
import { tellGaps } from '../../store/gap-rows.ts'
import type { Cut } from './cut.ts'
import { Noted } from '../noted.ts'
import { type Parking, park } from '../parked/parked.ts'
import type { Doors } from '../stream.ts'

type Entry = Cut['parked'][number]['entry']

export class Unsendable {
  readonly #stream: { readonly table: string; readonly label: string }
  readonly #doors: Doors
  readonly #noted = new Noted()
  /** One commit at a time: the next looks for room after what the one before has taken. */
  #parking: Promise<void> = Promise.resolve()

  constructor(stream: { readonly table: string; readonly label: string }, doors: Doors) {
    this.#stream = stream
    this.#doors = doors
  }

  /** Parks them, and returns how many are new. */
  note(unsendable: Cut['parked'], epoch: string): number {
    const fresh = unsendable.filter(({ entry: { seq } }) => this.#noted.fresh({ first: seq, last: seq }).length > 0)
    const last = fresh.at(-1)
    if (last === undefined) return 0
    const { table, label } = this.#stream
    const said = { table, stream: label, rows: fresh.length, reason: last.reason }
    this.#doors.log.warn(said, 'rows cannot be sent: parked')
    const parkings = fresh.map(({ entry, reason }) => ({ row: rowOf(entry), reason }))
    this.#parking = this.#parking.then(() => this.#park(parkings, epoch))
    return fresh.length
  }

  async #park(parkings: readonly Parking[], epoch: string): Promise<void> {
    const { store, time, log } = this.#doors
    const { table, label } = this.#stream
    try {
      const stream = { way: 'to', farSide: label, table, epoch } as const
      const { changes, unkept } = await park(store, stream, parkings, time.wallMs())
      const lost = unkept.map(({ row, reason }) => ({ first: row.seq, last: row.seq, reason }))
      const told = await tellGaps(store, { who: `to:${label}`, table, epoch }, lost, time.wallMs())
      if (changes.length + told.length > 0) await store.commit([...changes, ...told], 'interval')
    } catch (error) {
      log.warn(
        { table, stream: label, reason: messageOf(error), rows: parkings.length },
        'parked rows could not be kept',
      )
    }
  }
}

function rowOf(entry: Entry): Parking['row'] {
  if (entry.kind === 'record') return entry
  const { device, metric, unit } = entry.series
  return { ...entry, device, metric, unit }
}
