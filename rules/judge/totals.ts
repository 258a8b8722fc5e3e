/**
 * What is left of many numbers: how many, their sum, mean, spread, extremes, the first and the last by time. Pure.
 *
 * Promises: the same numbers in the same order and grouping give the same bits, so that a window filled again from the
 * store is the window that was. Mean and spread by Welford, joined by Chan, so that a constant has no spread at all.
 */
export class Totals {
  readings = 0
  count = 0
  sum = 0
  mean = 0
  /** The sum of squared distances from the mean. */
  squares = 0
  min = Number.POSITIVE_INFINITY
  max = Number.NEGATIVE_INFINITY
  readonly first = { value: 0, timeMs: 0 }
  readonly last = { value: 0, timeMs: 0 }

  /** Of the sample. */
  get stddev(): number {
    return this.count > 1 ? Math.sqrt(this.squares / (this.count - 1)) : 0
  }

  clear(): void {
    this.readings = 0
    this.count = 0
    this.sum = 0
    this.mean = 0
    this.squares = 0
    this.min = Number.POSITIVE_INFINITY
    this.max = Number.NEGATIVE_INFINITY
  }

  /** A reading; undefined where it is no number. Of two at the same time the one that is added later is the later. */
  add(value: number | undefined, timeMs: number): void {
    this.readings++
    if (value === undefined) return
    this.count++
    this.sum += value
    const distance = value - this.mean
    this.mean += distance / this.count
    this.squares += distance * (value - this.mean)
    if (value < this.min) this.min = value
    if (value > this.max) this.max = value
    if (this.count === 1 || timeMs < this.first.timeMs) set(this.first, value, timeMs)
    if (this.count === 1 || timeMs >= this.last.timeMs) set(this.last, value, timeMs)
  }

  /** Everything of `other` besides what is here; where times are the same, `other` is the later. */
  join(other: Totals): void {
    this.readings += other.readings
    if (other.count === 0) return
    const isEmpty = this.count === 0
    const count = this.count + other.count
    const distance = other.mean - this.mean
    this.squares += other.squares + (isEmpty ? 0 : (distance * distance * this.count * other.count) / count)
    this.mean = isEmpty ? other.mean : this.mean + (distance * other.count) / count
    this.count = count
    this.sum += other.sum
    if (other.min < this.min) this.min = other.min
    if (other.max > this.max) this.max = other.max
    if (isEmpty || other.first.timeMs < this.first.timeMs) set(this.first, other.first.value, other.first.timeMs)
    if (isEmpty || other.last.timeMs >= this.last.timeMs) set(this.last, other.last.value, other.last.timeMs)
  }
}

function set(point: { value: number; timeMs: number }, value: number, timeMs: number): void {
  point.value = value
  point.timeMs = timeMs
}
