/** Patience with a store that cannot be written to for a while. */
import { HoldfastError } from '../errors.ts'

/** A store that cannot be written to is tried again after this. */
export const retryMs = 500

/** Errors that pass by themselves: the store says what is wrong with it, and goes on when it can. */
const storeErrors: ReadonlySet<string> = new Set(['STORE_FAILED', 'STORE_FULL', 'STORE_CLOSED'])
export const isAboutStore = (error: unknown): boolean => error instanceof HoldfastError && storeErrors.has(error.code)

/** Does something that writes, again and again while the store cannot be written to. */
export async function whenWritable(signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  while (!signal.aborted) {
    try {
      return await work()
    } catch (error) {
      if (!isAboutStore(error)) throw error
      await pause(retryMs, signal)
    }
  }
}

export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      clearTimeout(timer)
      signal.removeEventListener('abort', done)
      resolve()
    }
    const timer = setTimeout(done, ms)
    signal.addEventListener('abort', done)
    if (signal.aborted) done()
  })
}
