/** Finding a place in what is in order. Pure. */

/** The first place from `from` on, and before `end`, where `isBefore` is no longer true; `end` if it is true to the end. */
export function placeAfter(from: number, end: number, isBefore: (place: number) => boolean): number {
  let low = from
  let high = end
  while (low < high) {
    const middle = (low + high) >>> 1
    if (isBefore(middle)) low = middle + 1
    else high = middle
  }
  return low
}

/** How many of these, which ascend, are up to `most`. */
export const countUpTo = (numbers: ArrayLike<number>, most: number): number =>
  placeAfter(0, numbers.length, place => (numbers[place] as number) <= most)
