/**
 * What the broker writes down so that it outlives the process: the door to whoever writes it, and the order of writing.
 *
 * `now` calls back once its changes are on disk, and is for what must be there before somebody is told [I1]. `later` is
 * for what may be lost with the power: it rides with the next commit, and what could not be written is tried again. What
 * was asked for later never overtakes or overwrites what was asked for after it. Without a shelf nothing is written,
 * and every `now` is done at once.
 */

/** A value under a key, or `undefined` to forget it. The store's own words, so that no list is made twice. */
export type ShelfChange = {
  readonly kind: 'keep'
  readonly owner: string
  readonly key: string
  readonly bytes: Buffer | undefined
  readonly whenFull: 'refuse' | 'take'
}

/** Who writes it: `runtime/gateway.ts` hands over the store. */
export type Shelf = {
  readonly kept: (owner: string) => AsyncIterable<readonly [key: string, bytes: Buffer]>
  /** All or nothing; resolves once it is on disk. */
  readonly commit: (changes: readonly ShelfChange[], urgency: 'now' | 'interval' | 'lazy') => Promise<unknown>
}

export const shelfOwner = 'broker'

export function put(key: string, bytes: Buffer, whenFull: ShelfChange['whenFull'] = 'take'): ShelfChange {
  return { kind: 'keep', owner: shelfOwner, key, bytes, whenFull }
}

export function forget(key: string): ShelfChange {
  return { kind: 'keep', owner: shelfOwner, key, bytes: undefined, whenFull: 'take' }
}

const retryMs = 1_000

type Due = { readonly change: ShelfChange; readonly number: number }

export class Ledger {
  readonly #shelf: Shelf | undefined
  readonly #onFailure: (error: unknown) => void
  #due = new Map<string, Due>()
  #isFlushAsked = false
  #retry: NodeJS.Timeout | undefined
  #writing = new Set<Promise<void>>()
  #number = 0

  /** `onFailure` hears of what was not written yet, each time that it is not. */
  constructor(shelf: Shelf | undefined, onFailure: (error: unknown) => void) {
    this.#shelf = shelf
    this.#onFailure = onFailure
  }

  get isKept(): boolean {
    return this.#shelf !== undefined
  }

  async *kept(): AsyncGenerator<readonly [key: string, bytes: Buffer]> {
    if (this.#shelf) yield* this.#shelf.kept(shelfOwner)
  }

  /** Calls `done` once the changes are on disk, or with the error if they will not be; at once if there are none. */
  now(changes: readonly ShelfChange[], done: (error?: Error) => void): void {
    if (!this.#shelf || changes.length === 0) return done()
    this.flush() // what was asked for before is written before
    for (const { key } of changes) this.#due.delete(key)
    this.#shelf.commit(changes, 'interval').then(
      () => done(),
      (error: unknown) => done(error instanceof Error ? error : new Error(String(error))),
    )
  }

  later(changes: readonly ShelfChange[]): void {
    if (!this.#shelf) return
    for (const change of changes) this.#due.set(change.key, { change, number: ++this.#number })
    if (this.#isFlushAsked || this.#retry !== undefined) return
    this.#isFlushAsked = true
    setImmediate(() => this.flush())
  }

  /** Another commit is about to write these keys: nothing older may be written after it. */
  overtake(changes: readonly ShelfChange[]): void {
    if (this.#due.size > 0) for (const { key } of changes) this.#due.delete(key)
  }

  /** Hands over what is due, in the order of asking. */
  flush(): void {
    this.#isFlushAsked = false
    if (this.#due.size === 0) return
    const due = [...this.#due.values()]
    this.#due = new Map()
    // Apart, so that what a full disk refuses keeps nothing else from being written.
    this.#write(due.filter(({ change }) => change.whenFull === 'take'))
    this.#write(due.filter(({ change }) => change.whenFull === 'refuse'))
  }

  /** Writes what is due, and resolves when all of it was tried. */
  async close(): Promise<void> {
    clearTimeout(this.#retry)
    this.#retry = undefined
    this.flush()
    while (this.#writing.size > 0) {
      // An empty commit that does not wait takes along those that would.
      await Promise.allSettled([...this.#writing, this.#shelf?.commit([], 'now')])
    }
    clearTimeout(this.#retry)
  }

  #write(due: readonly Due[]): void {
    if (due.length === 0 || !this.#shelf) return
    const writing = this.#shelf
      .commit(
        due.map(({ change }) => change),
        'lazy',
      )
      .then(
        () => undefined,
        (error: unknown) => this.#again(due, error),
      )
      .finally(() => this.#writing.delete(writing))
    this.#writing.add(writing)
  }

  #again(due: readonly Due[], error: unknown): void {
    for (const one of due) {
      const newer = this.#due.get(one.change.key)
      if (newer === undefined || newer.number < one.number) this.#due.set(one.change.key, one)
    }
    this.#onFailure(error)
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.flush()
    }, retryMs).unref()
  }
}
