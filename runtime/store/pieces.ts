/** What a query finds in one hour, piece by piece: from memory, from chunks, and from where corrected boots were filed. */
import type { Asked } from './asked.ts'
import type { Chunk } from './chunk.ts'
import { chunksOf } from './chunks.ts'
import { type Shifts, shifted } from './corrections.ts'
import { type Lane, mayBePacked } from './hours.ts'
import { type Piece, pick, pieceOfChunk, pieceOfEntries } from './piece.ts'
import type { Recent } from './recent.ts'
import { hourMs, hourOf } from './repeats.ts'
import type { ReadingEntry } from './types.ts'

export type OpenHour = {
  /** From memory, and from where corrected boots were filed: in any order. */
  readonly apart: () => AsyncGenerator<Piece>
  /** What is packed as it is told: the pieces of each series after each other, in the order of the log. */
  readonly filed: () => AsyncGenerator<Piece>
}

/** The readings of one hour that are in the range of times and positions, as they are stored now. No piece is empty. */
export function openHour(asked: Asked, recent: Recent, lanes: readonly Lane[], hour: number): OpenHour {
  const { table, shifts } = asked
  // Together, before anything else can happen: what is not here is packed, and chunks are not believed beyond that.
  const packed = recent.take()
  const unpacked = [...recent.in(hour)]
  const within = {
    ...asked,
    afterSeq: Math.max(asked.afterSeq, table.first - 1),
    throughSeq: Math.min(asked.throughSeq, packed),
  }
  const isPacked = within.throughSeq > within.afterSeq
  return {
    async *apart() {
      for (const [series, entries] of unpacked) yield pieceOfEntries(series, entries)
      if (isPacked) for (const lane of lanes.slice(1)) yield* shiftedInto(within, lane, hour)
    },
    async *filed() {
      const [first] = lanes
      if (!isPacked || first === undefined || hour < first.from || hour > first.to || !mayBePacked(first)) return
      for await (const chunk of filedIn(within, first, hour)) {
        const isWholeLog = chunk.firstSeq > within.afterSeq && chunk.lastSeq <= within.throughSeq
        const piece = inRange(inPlace(chunk, shifts.get(chunk.series.origin)), within, isWholeLog)
        if (piece.times.length > 0) yield piece
      }
    },
  }
}

/** The chunks of a lane's series in one hour that hold any of the positions asked for. */
async function* filedIn(asked: Asked, { series }: Lane, hour: number): AsyncGenerator<Chunk> {
  const { database, table, afterSeq, throughSeq, signal } = asked
  const ids = series.map(({ id }) => id)
  for await (const { chunk } of chunksOf(database, table, hour, ids)) {
    if (signal?.aborted === true) return
    if (chunk.lastSeq > afterSeq && chunk.firstSeq <= throughSeq) yield chunk
  }
}

/** The readings that are told where they were filed. */
function inPlace(chunk: Chunk, shifts: Shifts | undefined): Piece {
  const boots = shifts !== undefined && shifts.size > 0 ? chunk.boots() : undefined
  if (!boots?.some(boot => boot !== undefined && shifts?.has(boot) === true)) return pieceOfChunk(chunk)
  const staying: ReadingEntry[] = []
  for (const entry of chunk.entries()) {
    const shift = entry.boot === undefined ? undefined : shifts?.get(entry.boot)
    if (shift === undefined) staying.push(entry)
    else if (entry.deviceTimeMs !== undefined) staying.push(shifted(entry, shift))
  }
  return pieceOfEntries(chunk.series, staying)
}

/** The readings of a corrected boot that are told in this hour, wherever they were filed. */
async function* shiftedInto(asked: Asked, lane: Lane, hour: number): AsyncGenerator<Piece> {
  const { shift } = lane
  if (shift === undefined) return
  const first = Math.max(lane.from, hourOf(hour * hourMs - shift.offsetMs))
  const last = Math.min(lane.to, hourOf((hour + 1) * hourMs - 1 - shift.offsetMs))
  for (let filed = first; filed <= last; filed++) {
    for await (const chunk of filedIn(asked, lane, filed)) {
      if (chunk.boots()?.includes(shift.boot) !== true) continue
      const moved = chunk
        .entries()
        .filter(({ boot, deviceTimeMs }) => boot === shift.boot && deviceTimeMs === undefined)
        .map(entry => shifted(entry, shift))
        .filter(({ arrivalMs }) => hourOf(arrivalMs) === hour)
      const piece = inRange(pieceOfEntries(chunk.series, moved), asked, false)
      if (piece.times.length > 0) yield piece
    }
  }
}

type Range = Pick<Asked, 'fromMs' | 'toMs' | 'afterSeq' | 'throughSeq'>

/** `isWholeLog` is true if all positions of the piece are known to be asked for: then nobody has to look at them. */
function inRange(piece: Piece, { fromMs, toMs, afterSeq, throughSeq }: Range, isWholeLog: boolean): Piece {
  const { times } = piece
  const seqs = isWholeLog ? undefined : piece.seqs()
  const isIn = (place: number): boolean => {
    const timeMs = times[place] as number
    if (timeMs < fromMs || timeMs >= toMs) return false
    const seq = seqs?.[place] as number
    return seqs === undefined || (seq > afterSeq && seq <= throughSeq)
  }
  let same = 0
  while (same < times.length && isIn(same)) same++
  if (same === times.length) return piece
  const places: number[] = []
  for (let place = 0; place < times.length; place++) if (isIn(place)) places.push(place)
  return pick(piece, places)
}
