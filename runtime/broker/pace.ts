/**
 * Holds one connection to the pace of its client, and to what may be on its way to the disk: `isHeld` says that nothing
 * more should be read now. Where it was the pace, `resume` is called once something may be. Before its CONNECT was accepted a connection has no pace; its one packet is bounded.
 */
import type { Line } from './line.ts'
import type { BrokerLimits } from './limits.ts'
import type { Meter } from './meters.ts'
import type { Tally } from './tally.ts'

/** A client far in debt is looked at so often, in case that its clock and ours disagree. */
const waitMsMax = 1_000

export class Pace {
  readonly #line: Pick<Line, 'length'>
  readonly #inflightMax: number
  readonly #resume: () => void
  #meter: Meter | undefined
  #timer: NodeJS.Timeout | undefined

  constructor(line: Pick<Line, 'length'>, { inflightInMax }: Pick<BrokerLimits, 'inflightInMax'>, resume: () => void) {
    this.#line = line
    this.#inflightMax = inflightInMax
    this.#resume = resume
  }

  begin(meter: Meter): void {
    this.#meter = meter
  }

  take(bytes: number): void {
    this.#meter?.take(bytes)
  }

  /** Asked before each frame: what is read of a chunk is no more than the client may send now. */
  get isHeld(): boolean {
    if (this.#isLineFull || this.#timer !== undefined) return true
    const waitMs = this.#meter?.waitMs ?? 0
    if (waitMs === 0) return false
    this.#meter?.held()
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined
        this.#resume()
      },
      Math.min(waitMs, waitMsMax),
    ).unref()
    return true
  }

  stop(): void {
    clearTimeout(this.#timer)
    this.#meter = undefined
  }

  tellPause(tally: Tally, client: string): void {
    tally.add('pauses')
    if (!this.#isLineFull) return
    tally.note('held_inflight_in', 'A client waits: as much of it as may be is on its way to the disk', { client })
  }

  get #isLineFull(): boolean {
    return this.#line.length >= this.#inflightMax
  }
}
