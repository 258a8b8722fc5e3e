/**
 * The readings around a violation, as they are written into the alert's row. Pure: the caller has read them; here they
 * are cut to the time asked for, grouped, and thinned until their JSON fits. What a person looks for survives thinning:
 * of every series kept the smallest and the largest value, the first and the newest reading.
 *
 * Thinning, in this order, each step only where the one before did not suffice:
 * 1. Every series is cut into the same number of time buckets, as many as fit, and keeps the smallest and the largest
 *    value of each. Numbers and switches only; texts and objects have no order: of them every n-th stays.
 * 2. Series are dropped from the end of the list: the caller puts that of the alert first.
 * 3. Texts and objects are shortened; then only the newest reading stays; a name too long to store leaves nothing.
 */
import type { Value } from '../../runtime/reading.ts'
import type { SnippetSpec } from '../rule.ts'

export type Point = readonly [ms: number, value: Value]

export type SnippetSeries = {
  readonly table: string
  readonly device: string
  readonly metric: string
  readonly unit: string | null
  readonly points: readonly Point[]
}

export type Snippet = {
  readonly from_ms: number
  readonly to_ms: number
  /** Readings there were, before any were thinned. */
  readonly count: number
  readonly series: readonly SnippetSeries[]
  /** Absent where nothing was left out. Counts readings. */
  readonly thinned?: { readonly kept: number; readonly of: number; readonly method: 'min-max' }
}

type Limits = Pick<SnippetSpec, 'bytesMax' | 'pointsMax'>

/**
 * Times are in the clock of `fromMs` and `toMs`, both inclusive; readings of one series may come in any order. `left` is how
 * many readings were left out before (gather.ts).
 */
export function snippet(
  series: readonly SnippetSeries[],
  spec: Limits,
  fromMs: number,
  toMs: number,
  left = 0,
): Snippet {
  const within = series
    .map(each => ({ ...each, points: cut(each.points, fromMs, toMs) }))
    .filter(each => each.points.length > 0)
  const count = countPoints(within) + left
  const build = (kept: readonly SnippetSeries[]): Snippet => {
    const points = countPoints(kept)
    const whole = points === count && kept.every((each, index) => each.points === within[index]?.points)
    const head = { from_ms: fromMs, to_ms: toMs, count, series: kept }
    return whole ? head : { ...head, thinned: { kept: points, of: count, method: 'min-max' } }
  }
  const whole = build(within)
  if (fits(whole, spec)) return whole
  return byBuckets(within, spec, build) ?? byDroppingSeries(within, spec, build) ?? build([])
}

/** How many bytes a snippet takes in its row. */
export function snippetBytes(built: Snippet): number {
  return Buffer.byteLength(JSON.stringify(built))
}

function fits(built: Snippet, { bytesMax, pointsMax }: Limits): boolean {
  const points = countPoints(built.series)
  if (points > (pointsMax ?? points)) return false
  // A reading is at least `[0,0],`: far too many need not be written out to be counted.
  return points * 6 <= bytesMax && snippetBytes(built) <= bytesMax
}

type Build = (kept: readonly SnippetSeries[]) => Snippet

/** The most buckets that fit, by bisection: each try is one pass over the readings. */
function byBuckets(series: readonly SnippetSeries[], limits: Limits, build: Build): Snippet | undefined {
  let best: Snippet | undefined
  let [low, high] = [1, Math.ceil(limits.bytesMax / 6)]
  while (low <= high) {
    const buckets = Math.floor((low + high) / 2)
    const tried = build(series.map(each => ({ ...each, points: thin(each.points, buckets) })))
    if (fits(tried, limits)) {
      best = tried
      low = buckets + 1
    } else {
      high = buckets - 1
    }
  }
  return best
}

/** As many series as fit with the fewest readings each; the first of them even if its values must be shortened. */
function byDroppingSeries(series: readonly SnippetSeries[], limits: Limits, build: Build): Snippet | undefined {
  const fewest = series.map(each => ({ ...each, points: thin(each.points, 1) }))
  let [low, high] = [1, fewest.length - 1]
  let best: Snippet | undefined
  while (low <= high) {
    const length = Math.floor((low + high) / 2)
    const tried = build(fewest.slice(0, length))
    if (fits(tried, limits)) {
      best = tried
      low = length + 1
    } else {
      high = length - 1
    }
  }
  if (best) return best
  const short = fewest.slice(0, 1).map(each => ({ ...each, points: each.points.map(shorten) }))
  const newest = short.map(each => ({ ...each, points: each.points.slice(-1) }))
  return [short, newest].map(build).find(tried => fits(tried, limits))
}

/** In order of time, and only the time asked for; the same array where nothing had to change. */
function cut(points: readonly Point[], fromMs: number, toMs: number): readonly Point[] {
  const good = points.every(([ms], index) => ms >= fromMs && ms <= toMs && ms >= (points[index - 1]?.[0] ?? ms))
  if (good) return points
  return points.filter(([ms]) => ms >= fromMs && ms <= toMs).toSorted((a, b) => a[0] - b[0])
}

/** First, newest, and per bucket of time the smallest and the largest: at most `2 * buckets + 2` that have an order. */
export function thin(points: readonly Point[], buckets: number): readonly Point[] {
  const most = 2 * buckets + 2
  const last = points.length - 1
  if (points.length <= most) return points
  const kept = new Set([0, last])
  const startMs = points[0]?.[0] ?? 0
  const spanMs = (points[last]?.[0] ?? 0) - startMs + 1
  const extremes = new Map<number, { min: number; max: number; minAt: number; maxAt: number }>()
  const stride = Math.ceil(points.length / most)
  points.forEach(([ms, value], index) => {
    const number = rank(value)
    if (number === undefined) {
      if (index % stride === 0) kept.add(index)
      return
    }
    const bucket = Math.floor(((ms - startMs) / spanMs) * buckets)
    const seen = extremes.get(bucket)
    if (!seen) {
      extremes.set(bucket, { min: number, max: number, minAt: index, maxAt: index })
      return
    }
    if (number < seen.min) [seen.min, seen.minAt] = [number, index]
    if (number > seen.max) [seen.max, seen.maxAt] = [number, index]
  })
  for (const { minAt, maxAt } of extremes.values()) kept.add(minAt).add(maxAt)
  return points.filter((_, index) => kept.has(index))
}

function rank(value: Value): number | undefined {
  if (typeof value === 'boolean') return Number(value)
  return typeof value === 'number' ? value : undefined
}

const shortCharacters = 40

function shorten([ms, value]: Point): Point {
  if (rank(value) !== undefined) return [ms, value]
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return [ms, text.length <= shortCharacters ? value : `${text.slice(0, shortCharacters)}…`]
}

function countPoints(series: readonly SnippetSeries[]): number {
  return series.reduce((sum, each) => sum + each.points.length, 0)
}
