/**
 * Gives back the memory of a wave that is over. V8 collects what is dead when something new wants the room, and counts
 * the bytes of buffers little: what had waited for slow readers, or for clients that are gone, would lie there for hours
 * on a gateway with little to do. So when much more is held than was ever really needed, and there is time, it is
 * collected; where that gives nothing back, because it is needed now, it is tried again later and later.
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
/** Of its time. */
const busyShareMax = 0.5
/** Three looks in a row, so that the gap between two waves is not taken for their end. */
const calmLooks = 3
/** Ten minutes: what a pause may cost where it gives nothing back. */
const calmLooksMax = 300

/** When to collect. Pure: what is held and how busy it was come in. */
export class Wave {
  #leastBytes = Number.POSITIVE_INFINITY
  #calm = 0
  /** So many calm looks before the next. */
  #patience = calmLooks
  /** What was held before the last collection, until the look after it: bytes of buffers are given back a little later. */
  #collectedBytes: number | undefined

  /** Is now the time? */
  look(heldBytes: number, busyShare: number): boolean {
    if (this.#collectedBytes !== undefined) {
      const isHelped = this.#collectedBytes - heldBytes >= worthBytes
      this.#patience = isHelped ? calmLooks : Math.min(2 * this.#patience, calmLooksMax)
      this.#collectedBytes = undefined
    }
    // What V8 collects by itself tells too how little is needed.
    this.#leastBytes = Math.min(this.#leastBytes, heldBytes)
    const isWorthIt = heldBytes - this.#leastBytes >= worthBytes
    this.#calm = isWorthIt && busyShare <= busyShareMax ? this.#calm + 1 : 0
    if (this.#calm < this.#patience) return false
    this.#calm = 0
    this.#collectedBytes = heldBytes
    return true
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
    log.debug({ held: bytes }, 'there was time to look for memory that is not needed any more')
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
