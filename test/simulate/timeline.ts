/**
 * Pretend time: events in the order of their time, and nothing happens between two of them.
 *
 * Promises: time moves on only when the program is at rest. Everything under test is made of promises without any real
 * I/O, so one turn of the real event loop after each event is enough for all that follows from it. Events of the same
 * moment run in the order in which they were planned, so that a seed tells one story and always the same.
 */
type Planned = { readonly atMs: number; readonly order: number; run: (() => void) | undefined }

export class Timeline {
  #nowMs = 0
  #planned = 0
  readonly #heap: Planned[] = []
  /** Called when an event throws: a fault of the program, not of the weather. */
  onThrow: (error: unknown) => void = error => {
    throw error
  }

  get nowMs(): number {
    return this.#nowMs
  }

  /** Runs something once, later. Returns a function that calls it off. */
  after(delayMs: number, run: () => void): () => void {
    const planned: Planned = { atMs: this.#nowMs + Math.max(0, delayMs), order: this.#planned++, run }
    this.#push(planned)
    return () => {
      planned.run = undefined
    }
  }

  /** Lets time pass until `untilMs`, or until `isOver` says so after an event. */
  async pass(untilMs: number, isOver: () => boolean = () => false): Promise<void> {
    while (!isOver()) {
      const next = this.#heap[0]
      if (next === undefined || next.atMs > untilMs) break
      this.#pop()
      if (next.run === undefined) continue
      this.#nowMs = next.atMs
      try {
        next.run()
      } catch (error) {
        this.onThrow(error)
      }
      await atRest()
    }
    if (!isOver()) this.#nowMs = Math.max(this.#nowMs, untilMs)
  }

  #push(planned: Planned): void {
    const heap = this.#heap
    let at = heap.push(planned) - 1
    while (at > 0) {
      const above = (at - 1) >> 1
      if (!isBefore(heap[at], heap[above])) break
      swap(heap, at, above)
      at = above
    }
  }

  #pop(): void {
    const heap = this.#heap
    const last = heap.pop()
    if (heap.length === 0 || last === undefined) return
    heap[0] = last
    for (let at = 0; ; ) {
      let least = at
      for (const below of [2 * at + 1, 2 * at + 2]) {
        if (below < heap.length && isBefore(heap[below], heap[least])) least = below
      }
      if (least === at) return
      swap(heap, at, least)
      at = least
    }
  }
}

function isBefore(a: Planned | undefined, b: Planned | undefined): boolean {
  if (a === undefined || b === undefined) return false
  return a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order)
}

function swap(heap: Planned[], a: number, b: number): void {
  const kept = heap[a] as Planned
  heap[a] = heap[b] as Planned
  heap[b] = kept
}

/** A turn of the real event loop comes only after every promise that can go on has done so. */
const atRest = (): Promise<void> => new Promise(resolve => setImmediate(resolve))
