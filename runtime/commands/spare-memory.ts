/**
 * Gives back the memory of a wave that is over. V8 collects what is dead when something new wants the room, and counts
 * the bytes of buffers little: what had waited for slow readers, or for clients that are gone, would lie there for hours
 * on a gateway with little to do. So when much more is held than was last really needed, and there is time, it is
 * collected once.
 *
 * Must never collect while there is much to do: that costs some tens of milliseconds in which nothing is acknowledged.
 */
import { performance } from 'node:perf_hooks'
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import type { Log } from '../log.ts'

const lookEveryMs = 2_000
/** A tenth of what a gateway takes at rest: less is not worth a pause. */
const worthBytes = 8 * 2 ** 20
/** Of its time. Honest devices alone keep a board less busy than that, and a wave more. */
const busyShareMax = 0.5
/** Three looks in a row, so that the gap between two waves is not taken for their end. */
const calmLooks = 3

/** When to collect. Pure: what is held and how busy it was come in. */
export class Wave {
  #leastBytes = Number.POSITIVE_INFINITY
  #calm = 0

  /** Is now the time? */
  look(heldBytes: number, busyShare: number): boolean {
    // What V8 collects by itself tells too how little is needed.
    this.#leastBytes = Math.min(this.#leastBytes, heldBytes)
    const isWorthIt = heldBytes - this.#leastBytes >= worthBytes
    this.#calm = isWorthIt && busyShare <= busyShareMax ? this.#calm + 1 : 0
    return this.#calm >= calmLooks
  }

  /** What is held now is needed: the next wave is measured against it. */
  collected(heldBytes: number): void {
    this.#leastBytes = heldBytes
    this.#calm = 0
  }
}

/** From now until the process ends. */
export function spareMemory(log: Log): void {
  const wave = new Wave()
  let collect: (() => void) | undefined
  let before = performance.eventLoopUtilization()
  setInterval(() => {
    const now = performance.eventLoopUtilization()
    const { utilization } = performance.eventLoopUtilization(now, before)
    before = now
    const bytes = heldBytes()
    if (!wave.look(bytes, utilization)) return
    collect ??= collector()
    collect()
    const left = heldBytes()
    wave.collected(left)
    log.debug({ before: bytes, after: left }, 'memory that was not needed any more was given back')
  }, lookEveryMs).unref()
}

/** What V8 has taken for objects that are not young, and for the bytes of buffers. */
function heldBytes(): number {
  const spaces = getHeapSpaceStatistics().filter(({ space_name: name }) => !name.startsWith('new'))
  return spaces.reduce((sum, space) => sum + space.physical_space_size, process.memoryUsage().external)
}

/** The only way to it for a program that was started without the flag; a Node.js without it goes on as it did. */
function collector(): () => void {
  setFlagsFromString('--expose-gc')
  const collect: unknown = runInNewContext('typeof gc === "function" ? gc : undefined')
  setFlagsFromString('--no-expose-gc')
  return typeof collect === 'function' ? () => void collect() : () => undefined
}
