/**
 * What hellos tell of the time. The hub's answer says what its clock shows and whether it trusts it; how long the answer
 * took says how much that can be off, so that a slow link is not taken for a wrong clock.
 */
import type { Seen } from '../clock-door.ts'
import type { DownHello } from '../wire/protocol.ts'
import type { Doors } from '../stream.ts'

export class HubTime {
  readonly #doors: Doors
  /** When the first hello was said that has no answer yet: which of several was answered nobody knows. */
  #askedAtMs: number | undefined

  constructor(doors: Doors) {
    this.#doors = doors
  }

  /** A hello is said. */
  asked(isNewSession: boolean): void {
    if (isNewSession) this.#askedAtMs = undefined
    this.#askedAtMs ??= this.#doors.time.monotonicMs()
  }

  /** What an answer tells; undefined for one that nobody waits for any more. Called when it comes: later would be longer. */
  seen({ wallMs, clockTrusted }: DownHello): Seen | undefined {
    const askedAtMs = this.#askedAtMs
    this.#askedAtMs = undefined
    if (askedAtMs === undefined) return undefined
    return { wallMs, isTrusted: clockTrusted, askedAtMs, heardAtMs: this.#doors.time.monotonicMs() }
  }

  /** Resolves when what follows from it is on the disk. */
  async tell(seen: Seen | undefined): Promise<void> {
    if (seen !== undefined) await this.#doors.clock?.heard(seen)
  }

  /** The latest time that can be believed: a board that booted in 1970 would call everything from the hub too far ahead. */
  believedMs(hello: DownHello): () => number {
    const { time, clock } = this.#doors
    const aheadMs = hello.wallMs - time.monotonicMs()
    return () => (clock?.isTrusted() === true ? time.wallMs() : Math.max(time.wallMs(), time.monotonicMs() + aheadMs))
  }
}
