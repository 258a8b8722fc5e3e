/**
 * Cuts what was read from a log into the next frame to send. Pure: the same entries give the same frame, so that going
 * back and sending again tells the far side exactly the same.
 *
 * Promises: entries that the far side has (it sent them, or made them) and those that are not selected are passed over, which is what keeps two
 * directions on one table from looping; transactions stay whole, in parts where one message can't hold them; what
 * can't travel at all becomes a gap with its reason, so that it never holds up the rest [I4].
 */
import { namesBytesMax, rowBytesMax, type Gap, type SentEntry } from '../wire/frames.ts'
import { gapsPerFrameMax, nameBytesMax, transactionBytesMax, transactionPartsMax } from '../limits.ts'
import type { Choose } from './selection.ts'
import { type Entry, type ReadingEntry, type Seq, asSeq } from '../../store/types.ts'

export type Cut = {
  /** Each part becomes one message; more than one only for a transaction that one message can't hold. */
  readonly parts: readonly (readonly SentEntry[])[]
  readonly gaps: readonly Gap[]
  /** Entries told as gaps because they can't travel. */
  readonly parked: readonly { readonly entry: SentEntry['entry']; readonly reason: string }[]
  readonly bytes: number
  /** Those with rows in this frame. */
  readonly transactions: number
  /** Everything up to here is in this frame, or need not be. */
  readonly last: Seq
}

export type CutOptions = {
  /** The position that the entries were read from. */
  readonly after: Seq
  /** The far side. */
  readonly peer: string
  readonly frameBytes: number
  /** What the far side takes: rows in one frame, and bytes of rows in one message. */
  readonly rows: number
  readonly rowsBytes: number
  /** Fewer when something in here could not be read by the far side, to find out what. One goes without gaps before it. */
  readonly transactionsMax: number
  /** Why the first transaction with anything to send can't be read by the far side even alone, if that is so. */
  readonly unreadable: string | undefined
  /** What of an entry is sent; left out, all of it. */
  readonly choose?: Choose | undefined
}

type Transaction = {
  readonly first: Seq
  readonly last: Seq
  /** The index of the entry after it. */
  readonly end: number
  readonly gaps: readonly Gap[]
  readonly sent: SentEntry[]
}

/** The next frame; with no parts and no gaps there is nothing to tell, but `last` has moved over what was passed. */
export function cutFrame(entries: readonly Entry[], options: CutOptions): Cut {
  const sent: SentEntry[] = []
  const gaps: Gap[] = []
  const measure = new Measure()
  let last = options.after
  let transactions = 0
  const mustGoAlone = options.transactionsMax === 1
  for (let start = 0; start < entries.length; ) {
    const isFirst = sent.length === 0 && gaps.length === 0
    const entry = entries[start] as Entry
    // A backlog is almost wholly this: it takes the same decisions as below, without an object for each of them.
    if (isPlain(entry, entries[start + 1], last, options)) {
      const isOver = isTheirs(entry, options)
      if (!isOver && mustGoAlone && !isFirst) break
      const isIn = isOver || (sent.length < options.rows && measure.takeAlone(entry, options))
      if (isIn && !isOver) sent.push({ entry, joined: false })
      if (isIn) {
        last = entry.seq
        start++
        if (!isOver && ++transactions >= options.transactionsMax) break
        continue
      }
    }
    const transaction = transactionAt(entries, start, last, options)
    start = transaction.end
    const { first, sent: own } = transaction
    if (own.length > 0 && mustGoAlone && !isFirst) break
    const reason = (isFirst ? options.unreadable : undefined) ?? reasonToPark(own, options)
    if (reason !== undefined && own.length > 0) {
      if (!isFirst) break
      const parked = own.map(({ entry }) => ({ entry, reason }))
      const lost = { first, last: transaction.last, reason }
      const told = [...transaction.gaps, lost]
      return { parts: [[]], gaps: told, parked, bytes: 64, transactions: 0, last: transaction.last }
    }
    const bytes = measure.with(own)
    const isFull = bytes > options.frameBytes || sent.length + own.length > options.rows
    if (isFull || gaps.length + transaction.gaps.length > gapsPerFrameMax) {
      if (!isFirst) break
      const parts = splitParts(own, options)
      return { parts, gaps: transaction.gaps, parked: [], bytes, transactions: 1, last: transaction.last }
    }
    measure.take(own, bytes)
    for (const one of own) sent.push(one)
    gaps.push(...transaction.gaps)
    last = transaction.last
    if (own.length > 0 && ++transactions >= options.transactionsMax) break
  }
  const parts = sent.length === 0 && gaps.length === 0 ? [] : [sent]
  return { parts, gaps, parked: [], bytes: measure.bytes, transactions, last }
}

/** A reading that is a transaction of its own, follows what is cut already and is sent whole. */
const isPlain = (
  entry: Entry,
  next: Entry | undefined,
  last: Seq,
  { choose, unreadable }: CutOptions,
): entry is ReadingEntry =>
  entry.kind === 'reading' &&
  next?.joined !== true &&
  entry.seq === last + 1 &&
  choose === undefined &&
  unreadable === undefined

/** The far side sent it to us, or made it. */
const isTheirs = ({ via, origin }: Entry, { peer }: Pick<CutOptions, 'peer'>): boolean =>
  via === peer || origin === peer

/** A whole transaction with what the far side shall see of it; a hole in the positions becomes a gap. */
function transactionAt(entries: readonly Entry[], start: number, before: Seq, options: CutOptions): Transaction {
  let end = start + 1
  while (end < entries.length && entries[end]?.joined === true) end++
  const { choose } = options
  const gaps: Gap[] = []
  const sent: SentEntry[] = []
  let expected = before + 1
  let first: Seq | undefined
  for (let index = start; index < end; index++) {
    const entry = entries[index] as Entry
    const from = entry.kind === 'gap' ? Math.max(entry.firstSeq, expected) : entry.seq
    first ??= asSeq(from)
    if (from > expected) gaps.push({ first: asSeq(expected), last: asSeq(from - 1), reason: 'missing' })
    if (entry.kind === 'gap') {
      // Of a trimmed records log the rows that stand are told; what they superseded is no loss.
      if (entry.count > 0) gaps.push({ first: asSeq(from), last: entry.seq, reason: entry.reason })
    } else if (!isTheirs(entry, options)) {
      const chosen = choose === undefined ? entry : choose(entry)
      if (chosen !== undefined) sent.push({ entry: chosen, joined: sent.length > 0 })
    }
    expected = entry.seq + 1
  }
  return { first: first ?? before, last: asSeq(expected - 1), end, gaps, sent }
}

/** An origin, a device, a metric and a unit, each with its length before it. */
const longestNamesBytes = 4 * (nameBytesMax + 5) + 4

type Bounds = Pick<CutOptions, 'rows' | 'rowsBytes'>

function reasonToPark(sent: readonly SentEntry[], { rows, rowsBytes }: Bounds): string | undefined {
  const [only] = sent
  // By far the most are one reading or row of usual size: no need to measure its names.
  if (sent.length <= 1 && (only === undefined || rowBytesMax(only.entry) + longestNamesBytes <= rowsBytes))
    return undefined
  const whole = new Measure().with(sent)
  if (whole <= rowsBytes) return undefined
  if (whole > transactionBytesMax || sent.length > rows * transactionPartsMax) return 'transaction-too-large'
  if (sent.some(one => new Measure().with([one]) > rowsBytes)) return 'row-too-large'
  return undefined
}

function splitParts(sent: readonly SentEntry[], { rows, rowsBytes }: Bounds): SentEntry[][] {
  const parts: SentEntry[][] = []
  let part: SentEntry[] = []
  let measure = new Measure()
  for (const one of sent) {
    if (part.length > 0 && (measure.with([one]) > rowsBytes || part.length >= rows)) {
      parts.push(part)
      part = []
      measure = new Measure()
    }
    measure.take([one], measure.with([one]))
    part.push(one)
  }
  parts.push(part)
  return parts
}

const nameOf = ({ entry }: SentEntry): object | string => (entry.kind === 'reading' ? entry.series : entry.origin)

/** How large a frame grows, names counted once. */
class Measure {
  bytes = 0
  readonly #names = new Set<object | string>()

  with(sent: readonly SentEntry[]): number {
    const [only] = sent
    if (only === undefined) return this.bytes
    if (sent.length === 1)
      return this.bytes + rowBytesMax(only.entry) + (this.#names.has(nameOf(only)) ? 0 : namesBytesMax(only.entry))
    const fresh = new Set<object | string>()
    let bytes = this.bytes
    for (const one of sent) {
      bytes += rowBytesMax(one.entry)
      const name = nameOf(one)
      if (this.#names.has(name) || fresh.has(name)) continue
      fresh.add(name)
      bytes += namesBytesMax(one.entry)
    }
    return bytes
  }

  /** Takes one reading if it is of usual size and has room: what `with`, `take` and the bounds would come to. */
  takeAlone(entry: ReadingEntry, { frameBytes, rowsBytes }: CutOptions): boolean {
    const row = rowBytesMax(entry)
    const isKnown = this.#names.has(entry.series)
    const bytes = this.bytes + row + (isKnown ? 0 : namesBytesMax(entry))
    if (row + longestNamesBytes > rowsBytes || bytes > frameBytes) return false
    this.bytes = bytes
    if (!isKnown) this.#names.add(entry.series)
    return true
  }

  /** `bytes` is what `with` said of them. */
  take(sent: readonly SentEntry[], bytes: number): void {
    this.bytes = bytes
    for (const one of sent) this.#names.add(nameOf(one))
  }
}
