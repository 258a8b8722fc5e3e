/**
 * Entries that the far side has, though its position does not say so: a stream that began anew after its database was
 * set back leaves them out, and all else goes as it would.
 */
import type { Range } from '../wire/place.ts'
import type { Choose } from './selection.ts'
import type { Chosen } from './source.ts'

/** What was chosen, without what is in these ranges. */
export function withoutThere(chosen: Chosen | undefined, there: () => readonly Range[]): Chosen {
  return {
    get choose(): Choose | undefined {
      const choose = chosen?.choose
      const ranges = there()
      if (ranges.length === 0) return choose
      return entry => {
        if (ranges.some(([from, to]) => entry.seq > from && entry.seq <= to)) return undefined
        return choose === undefined ? entry : choose(entry)
      }
    },
    get undecided(): number {
      return chosen?.undecided ?? 0
    },
  }
}
