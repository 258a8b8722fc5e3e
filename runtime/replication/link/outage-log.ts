/**
 * The log lines of a link: one for each change of its state, not for each try. An outage is told once, and once more for
 * each other kind of trouble in it; a link that comes and goes is told a few times, and then not until it holds.
 */
import type { Log } from '../../log.ts'
import type { Mishap, MishapKind } from './mishap.ts'

/** Ups and downs that are told one by one before the link has held. */
const flapsTold = 3

export class OutageLog {
  readonly #log: Log
  readonly #url: string
  /** What was told of this outage. */
  readonly #told = new Set<MishapKind>()
  #flaps = 0

  constructor(log: Log, url: string) {
    this.#log = log
    this.#url = url
  }

  connecting(): void {
    this.#log.info({ url: this.#url }, 'connecting')
  }

  connected(mqtt: string): void {
    this.#told.clear()
    if (this.#flaps < flapsTold) this.#log.info({ url: this.#url, mqtt }, 'connected')
  }

  lost({ kind, reason }: Mishap): void {
    if (this.#told.has(kind)) return
    const fields = { url: this.#url, kind, reason }
    this.#told.add(kind)
    if (this.#told.size > 1) return this.#log.warn(fields, 'still lost, for another reason')
    this.#flaps++
    if (this.#flaps <= flapsTold) this.#log.warn(fields, 'lost')
    else if (this.#flaps === flapsTold + 1) {
      this.#log.warn(fields, 'lost again and again; no more lines until it holds')
    }
  }

  holds(): void {
    if (this.#flaps > flapsTold) this.#log.info({ url: this.#url }, 'the link holds')
    this.#flaps = 0
  }
}
