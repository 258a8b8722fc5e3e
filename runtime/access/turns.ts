/**
 * Takes costly work in turns: only so much at once, and each address as often as the others, so that one that floods the
 * gateway with logins waits behind itself. Work that nobody waits for any more is not begun.
 */
export type TurnsLimits = { readonly atOnce: number; readonly waitingMax: number }

type Waiting = { readonly begin: () => void; readonly isGone: () => boolean; readonly skip: () => void }

export class Turns {
  readonly #limits: TurnsLimits
  /** By address, in the order in which they are served. */
  readonly #waiting = new Map<string, Waiting[]>()
  #count = 0
  #running = 0

  constructor(limits: TurnsLimits) {
    this.#limits = limits
  }

  /** `full` if too many wait, `gone` if nobody waits for the answer any more; else what the work gives. */
  take<Result>(address: string, isGone: () => boolean, work: () => Promise<Result>): Promise<Result | 'full' | 'gone'> {
    if (this.#count >= this.#limits.waitingMax) this.#forgetGone()
    if (this.#count >= this.#limits.waitingMax) return Promise.resolve('full')
    return new Promise((resolve, reject) => {
      const begin = (): void => {
        this.#running += 1
        work()
          .then(resolve, reject)
          .finally(() => {
            this.#running -= 1
            this.#next()
          })
      }
      const line = this.#waiting.get(address)
      const waiting = { begin, isGone, skip: () => resolve('gone') }
      if (line) line.push(waiting)
      else this.#waiting.set(address, [waiting])
      this.#count += 1
      this.#next()
    })
  }

  #next(): void {
    while (this.#running < this.#limits.atOnce) {
      const [address, line] = this.#waiting.entries().next().value ?? []
      if (address === undefined || line === undefined) return
      const first = line.shift()
      // To the end of the round.
      this.#waiting.delete(address)
      if (line.length > 0) this.#waiting.set(address, line)
      if (first === undefined) continue
      this.#count -= 1
      if (first.isGone()) first.skip()
      else first.begin()
    }
  }

  #forgetGone(): void {
    for (const [address, line] of this.#waiting) {
      const here = line.filter(waiting => !waiting.isGone())
      for (const waiting of line) if (waiting.isGone()) waiting.skip()
      this.#count -= line.length - here.length
      if (here.length > 0) this.#waiting.set(address, here)
      else this.#waiting.delete(address)
    }
  }
}
