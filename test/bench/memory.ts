/** What a piece of work leaves in memory, in bytes: on the heap and beside it, where typed arrays have their numbers. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use once nothing is left to collect. */
export function bytesInUse(): number {
  collect()
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return heapUsed + external
}

/** How many bytes are in use because of what `make` has made, and that. */
export function measured<T>(make: () => T): { readonly made: T; readonly bytes: number } {
  const before = bytesInUse()
  const made = make()
  return { made, bytes: bytesInUse() - before }
}
