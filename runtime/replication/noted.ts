/**
 * Which positions were told of already, however often and in whatever order they come by: a stream may be ahead of
 * itself, is read again after a lost link, and a broker refuses when it likes.
 */
import { type Seq, seqZero } from '../store/types.ts'
import { notedMax } from './limits.ts'
import { type Place, type Stretch, lacking, nowhere, union } from './wire/place.ts'

export class Noted {
  #had: Place = nowhere

  /** What of a range is new; from now on it is not. Beyond the bound the oldest are forgotten: rather told twice than never. */
  fresh({ first, last }: Stretch): Stretch[] {
    const fresh = lacking(this.#had, { first, last })
    if (fresh.length === 0) return fresh
    const { seq, ahead } = union(this.#had, { seq: seqZero, ahead: [[(first - 1) as Seq, last]] })
    this.#had = { seq, ahead: ahead.slice(-notedMax) }
    return fresh
  }

  /** Positions up to one that were not told of, and that nobody has. */
  untold(through: Seq, far: Place): number {
    if (through <= far.seq) return 0
    const known = union(this.#had, far)
    return lacking(known, { first: 1 as Seq, last: through }).reduce(
      (sum, { first, last }) => sum + last - first + 1,
      0,
    )
  }
}
