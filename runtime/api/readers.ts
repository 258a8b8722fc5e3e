/**
 * Streams of JSON lines, made as fast as the reader takes them and not faster.
 *
 * Promises: one batch in memory for each reader, however slow it is; a reader that leaves frees its place and ends the
 * work behind it; at most `readersMax` at once. What goes wrong once lines flow is told in a last line
 * `{"error": {code, message, hint}}`, because the status has been sent. A blank line means nothing: it says "still here".
 */
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import { faultForm } from './faults.ts'

export type ReadersOptions = { readonly readersMax: number; readonly keepaliveMs: number; readonly log: Log }

/** Makes the batches of one stream, none of them empty, until it ends or the signal says that nobody wants more. */
export type BatchSource = (signal: AbortSignal) => AsyncGenerator<readonly object[]>

export class Readers {
  readonly #options: ReadersOptions
  readonly #open = new Set<AbortController>()
  #closing = false

  constructor(options: ReadersOptions) {
    this.#options = options
  }

  /** Throws API_BUSY if there are too many already. */
  respond(source: BatchSource): Response {
    const { readersMax } = this.#options
    if (this.#open.size >= readersMax) {
      throw new HoldfastError('API_BUSY', `${readersMax} readers are connected already`, 'end one of them')
    }
    const leaving = new AbortController()
    const batches = source(leaving.signal)
    this.#open.add(leaving)
    let next: Promise<IteratorResult<readonly object[]>> | undefined
    const body = new ReadableStream<Uint8Array>(
      {
        // Called only when the socket wants more: that is the back-pressure.
        pull: async controller => {
          next ??= batches.next()
          const result = await this.#outcome(next)
          if (leaving.signal.aborted && !this.#closing) return
          if (result.kind !== 'quiet') next = undefined
          if (result.text !== '') controller.enqueue(encoder.encode(result.text))
          if (result.kind !== 'end') return
          this.#open.delete(leaving)
          controller.close()
        },
        cancel: async () => {
          this.#open.delete(leaving)
          leaving.abort()
          await batches.return(undefined)
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': 'application/x-ndjson', 'cache-control': 'no-store' } })
  }

  /** Ends all streams; each is told so in its last line. */
  close(): void {
    this.#closing = true
    for (const leaving of this.#open) leaving.abort()
  }

  /** What to write now: the next lines, a blank line if there are none for a while, or the last words. Never rejects. */
  async #outcome(next: Promise<IteratorResult<readonly object[]>>): Promise<Outcome> {
    try {
      const result = await within(next, this.#options.keepaliveMs)
      if (result === undefined) return { kind: 'quiet', text: '\n' }
      if (!result.done) return { kind: 'lines', text: result.value.map(toLine).join('') }
      return { kind: 'end', text: this.#closing ? this.#lastWords(closingError()) : '' }
    } catch (error) {
      return { kind: 'end', text: this.#lastWords(error) }
    }
  }

  #lastWords(error: unknown): string {
    return toLine({ error: faultForm(error, this.#options.log) })
  }
}

type Outcome = { readonly kind: 'lines' | 'quiet' | 'end'; readonly text: string }

/** Items in batches, so that lines do not travel one by one. Ends early once the signal aborts. */
export async function* inBatches<T>(
  items: AsyncIterable<T>,
  size: number,
  form: (item: T) => object,
  signal: AbortSignal,
): AsyncGenerator<readonly object[]> {
  let batch: object[] = []
  for await (const item of items) {
    if (signal.aborted) return
    batch.push(form(item))
    if (batch.length < size) continue
    yield batch
    batch = []
  }
  if (batch.length > 0) yield batch
}

/** What the promise gives, or undefined if it takes longer. The promise goes on either way. */
async function within<T>(promise: Promise<T>, ms: number): Promise<T | undefined> {
  let timer: NodeJS.Timeout | undefined
  const quiet = new Promise<undefined>(resolve => {
    timer = setTimeout(() => resolve(undefined), ms)
  })
  try {
    return await Promise.race([promise, quiet])
  } finally {
    clearTimeout(timer)
  }
}

const closingError = (): HoldfastError => new HoldfastError('STORE_CLOSED', 'the gateway is closing')
const toLine = (value: object): string => `${JSON.stringify(value)}\n`
const encoder = new TextEncoder()
