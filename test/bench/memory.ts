/** What a piece of work leaves on the heap, in bytes. */
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

setFlagsFromString('--expose-gc')
const collect = runInNewContext('gc') as () => void

/** Bytes in use once nothing is left to collect. */
export function heapBytes(): number {
  collect()
  collect()
  return process.memoryUsage().heapUsed
}

/** How many bytes are in use because of what `make` has made, and that. */
export function measured<T>(make: () => T): { readonly made: T; readonly bytes: number } {
  const before = heapBytes()
  const made = make()
  return { made, bytes: heapBytes() - before }
}
