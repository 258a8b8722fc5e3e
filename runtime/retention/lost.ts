/** What of a range at the beginning of a log somebody will never get who reads it by a cursor. Pure. */

/** Where a reader stands: it has everything up to `seq`, and runs of what comes later, (from, to] and in order. */
export type Reader = { readonly seq: number; readonly ahead: readonly (readonly [from: number, to: number])[] }

export type Stretch = { readonly first: number; readonly last: number }

/** What one of them lacks at least, in order and apart from each other. */
export function lostTo(readers: readonly Reader[], range: Stretch): Stretch[] {
  const joined: { first: number; last: number }[] = []
  for (const { first, last } of readers.flatMap(reader => lackedBy(reader, range)).toSorted(byFirst)) {
    const before = joined.at(-1)
    if (before !== undefined && first <= before.last + 1) before.last = Math.max(before.last, last)
    else joined.push({ first, last })
  }
  return joined
}

const byFirst = (a: Stretch, b: Stretch): number => a.first - b.first

function lackedBy({ seq, ahead }: Reader, { first, last }: Stretch): Stretch[] {
  const lacked: Stretch[] = []
  let next = Math.max(first, seq + 1)
  for (const [from, to] of ahead) {
    if (next <= Math.min(from, last)) lacked.push({ first: next, last: Math.min(from, last) })
    next = Math.max(next, to + 1)
  }
  if (next <= last) lacked.push({ first: next, last })
  return lacked
}
