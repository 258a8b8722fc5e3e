/**
 * A token bucket: so much a second, and so much at once after a quiet spell. Pure; the time comes as an argument, in
 * milliseconds of a clock that never goes back.
 *
 * `take` may leave a debt, because what has arrived has arrived: `waitMs` then says how long nothing more should be let in.
 */
export type Rate = { readonly perSecond: number; readonly burst: number }

export class Bucket {
  readonly #rate: Rate
  #tokens: number
  #atMs: number

  /** Full at first. */
  constructor(rate: Rate, nowMs: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#atMs = nowMs
  }

  /** Takes what is there, or goes into debt. */
  take(count: number): void {
    this.#tokens -= count
  }

  /** Takes it only if it is there. */
  tryTake(count: number, nowMs: number): boolean {
    if (this.#tokens < count) this.#fill(nowMs)
    if (this.#tokens < count) return false
    this.#tokens -= count
    return true
  }

  /** How long until something may be taken again: 0 while anything is left. The clock is asked only when nothing seems to be. */
  waitMs(now: () => number): number {
    if (this.#tokens > 0) return 0
    this.#fill(now())
    return this.#tokens > 0 ? 0 : Math.max(1, ((1 - this.#tokens) / this.#rate.perSecond) * 1_000)
  }

  isFull(nowMs: number): boolean {
    this.#fill(nowMs)
    return this.#tokens >= this.#rate.burst
  }

  #fill(nowMs: number): void {
    const passedMs = Math.max(0, nowMs - this.#atMs)
    this.#atMs = nowMs
    this.#tokens = Math.min(this.#rate.burst, this.#tokens + (passedMs * this.#rate.perSecond) / 1_000)
  }
}
