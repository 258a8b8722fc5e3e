/**
 * Who of those that were expected is whom of those that were there. Pure. Whatever can be paired without a fault is (by
 * augmenting paths, so that an expectation that fits many never takes the only fit of another); what is left is paired
 * with what it resembles most, so that a failure speaks of one wrong field and not of one alert missing and one too many.
 */

/** For each of the expected the index of its partner, or undefined. A pair that costs `never` is no pair. */
export function pair(
  expected: number,
  present: number,
  cost: (expected: number, present: number) => number,
  never: number,
): readonly (number | undefined)[] {
  const costs = Array.from({ length: expected }, (_, left) =>
    Array.from({ length: present }, (_, right) => cost(left, right)),
  )
  const partnerOf = withoutFault(costs, present)
  const free = new Set(Array.from({ length: present }, (_, right) => right))
  for (const right of partnerOf) if (right !== undefined) free.delete(right)
  const edges = costs.flatMap((row, left) =>
    partnerOf[left] === undefined ? row.map((price, right) => ({ price, left, right })) : [],
  )
  for (const { price, left, right } of edges.toSorted((a, b) => a.price - b.price)) {
    if (price >= never || partnerOf[left] !== undefined || !free.has(right)) continue
    partnerOf[left] = right
    free.delete(right)
  }
  return partnerOf
}

function withoutFault(costs: readonly (readonly number[])[], present: number): (number | undefined)[] {
  const takenBy: (number | undefined)[] = Array.from({ length: present })
  const tryToPlace = (left: number, asked: Set<number>): boolean => {
    for (let right = 0; right < present; right++) {
      if (costs[left]?.[right] !== 0 || asked.has(right)) continue
      asked.add(right)
      const other = takenBy[right]
      if (other !== undefined && !tryToPlace(other, asked)) continue
      takenBy[right] = left
      return true
    }
    return false
  }
  for (let left = 0; left < costs.length; left++) tryToPlace(left, new Set())
  const partnerOf: (number | undefined)[] = costs.map(() => undefined)
  for (const [right, left] of takenBy.entries()) if (left !== undefined) partnerOf[left] = right
  return partnerOf
}
