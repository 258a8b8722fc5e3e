/**
 * Collects the readings of a snippet as they are read, in memory that does not grow with the time asked for: a series that
 * has too many is thinned on the way, and how many were left out is counted [I6]. Pure: the same readings in the same order
 * give the same snippet.
 */
import type { Value } from '../../runtime/reading.ts'
import { type Point, type SnippetSeries, thin } from './snippet.ts'

/** A day at 0.2 Hz is whole; of more, the smallest and the largest of so many stretches of time stay. */
const pointsMax = 20_000
const stretches = 4_000

export type SeriesNames = Omit<SnippetSeries, 'points'>

export class Gathered<Key> {
  readonly #names: (series: Key) => SeriesNames
  readonly #points = new Map<Key, Point[]>()
  /** Readings that were left out. */
  left = 0

  /** `first` stands first in the snippet: the series of the alert. Undefined: as they come. */
  constructor(first: Key | undefined, names: (series: Key) => SeriesNames) {
    this.#names = names
    if (first !== undefined) this.#points.set(first, [])
  }

  add(series: Key, ms: number, value: Value): void {
    const points = this.#points.get(series) ?? []
    points.push([ms, value])
    if (points.length < pointsMax) {
      this.#points.set(series, points)
      return
    }
    const kept = thin(points, stretches)
    this.left += points.length - kept.length
    this.#points.set(series, [...kept])
  }

  series(): SnippetSeries[] {
    return [...this.#points].map(([series, points]) => ({ ...this.#names(series), points }))
  }
}
