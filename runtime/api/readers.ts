/**
 * Streams of JSON lines, or of another notation, made as fast as the reader takes them and not faster.
 *
 * Promises: one batch in memory for each reader, however slow it is; a reader that leaves frees its place and ends the
 * work behind it; at most `readersMax` at once. What goes wrong once lines flow is told in a last line
 * `{"error": {code, message, hint}}`, because the status has been sent. A blank line means nothing: it says "still here".
 * In a notation that has no place for such words the connection breaks off.
 */
import type { ServerResponse } from 'node:http'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import { faultForm } from './faults.ts'
import { type Notation, jsonLines } from './notation.ts'

export type ReadersOptions = { readonly readersMax: number; readonly keepaliveMs: number; readonly log: Log }

/** Makes the batches of one stream, none of them empty, until it ends or the signal says that nobody wants more. */
export type BatchSource<Item extends object = object> = (signal: AbortSignal) => AsyncGenerator<readonly Item[]>

export class Readers {
  readonly #options: ReadersOptions
  readonly #open = new Set<AbortController>()
  #closing = false

  constructor(options: ReadersOptions) {
    this.#options = options
  }

  /**
   * Throws API_BUSY if there are too many already. `breakOff` is called where a list fails in a notation that cannot tell
   * it, and ends the connection.
   */
  respond<Item extends object>(
    source: BatchSource<Item>,
    notation: Notation<Item> = jsonLines,
    breakOff = (): void => undefined,
  ): Response {
    const { readersMax } = this.#options
    if (this.#open.size >= readersMax) {
      throw new HoldfastError('API_BUSY', `${readersMax} readers are connected already`, 'end one of them')
    }
    const leaving = new AbortController()
    const batches = source(leaving.signal)
    this.#open.add(leaving)
    let next: Promise<IteratorResult<readonly Item[]>> | undefined
    let { begin } = notation
    const body = new ReadableStream<Uint8Array>(
      {
        // Called only when the socket wants more: that is the back-pressure.
        pull: async controller => {
          // It is called again only after something was written: without that it goes on by itself.
          for (let isWritten = false; !isWritten; ) {
            next ??= batches.next()
            const result = await this.#outcome(next, notation)
            if (leaving.signal.aborted && !this.#closing) return
            if (result.kind !== 'quiet') next = undefined
            const text = begin + result.text
            begin = ''
            isWritten = text !== ''
            if (isWritten) controller.enqueue(encoder.encode(text))
            if (result.kind === 'lines' || result.kind === 'quiet') continue
            this.#open.delete(leaving)
            // Without an error of the stream: whoever writes it out would put that error's text behind the list.
            if (result.kind === 'broken') return breakOff()
            return controller.close()
          }
        },
        cancel: async () => {
          this.#open.delete(leaving)
          leaving.abort()
          await batches.return(undefined)
        },
      },
      { highWaterMark: 0 },
    )
    return new Response(body, { headers: { 'content-type': notation.contentType, 'cache-control': 'no-store' } })
  }

  /** Ends all streams; each is told so in its last line. */
  close(): void {
    this.#closing = true
    for (const leaving of this.#open) leaving.abort()
  }

  /** What to write now: the next lines, a sign of life if there are none for a while, or the last words. Never rejects. */
  async #outcome<Item extends object>(
    next: Promise<IteratorResult<readonly Item[]>>,
    notation: Notation<Item>,
  ): Promise<Outcome> {
    try {
      const result = await within(next, this.#options.keepaliveMs)
      if (result === undefined) return { kind: 'quiet', text: notation.quiet }
      if (!result.done) return { kind: 'lines', text: notation.text(result.value) }
      return this.#closing ? this.#lastWords(closingError(), notation) : { kind: 'end', text: notation.end }
    } catch (error) {
      return this.#lastWords(error, notation)
    }
  }

  #lastWords(error: unknown, { tellsErrors }: Pick<Notation, 'tellsErrors'>): Outcome {
    const form = faultForm(error, this.#options.log)
    if (tellsErrors) return { kind: 'end', text: `${JSON.stringify({ error: form })}\n` }
    this.#options.log.warn({ reason: form.message }, 'a list was broken off')
    return { kind: 'broken', text: '' }
  }
}

type Outcome = { readonly kind: 'lines' | 'quiet' | 'end' | 'broken'; readonly text: string }

/** Ends the connection on which a request came, in the middle of its answer. */
export function breakingOff({ env }: { readonly env: unknown }): () => void {
  return () => void (env as { readonly outgoing: ServerResponse }).outgoing.destroy()
}

/** Items in batches, so that lines do not travel one by one. Ends early once the signal aborts. */
export async function* inBatches<T, Form extends object>(
  items: AsyncIterable<T>,
  size: number,
  form: (item: T) => Form,
  signal: AbortSignal,
): AsyncGenerator<readonly Form[]> {
  let batch: Form[] = []
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
const encoder = new TextEncoder()
