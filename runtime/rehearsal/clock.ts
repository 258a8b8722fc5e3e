/**
 * The clock of the gateway in a test: true time, and by how much the wall clock is off from which moment on. Pure.
 */
export class WallClock {
  readonly #stretches: { readonly fromMs: number; readonly offMs: number }[]

  constructor(startMs: number) {
    this.#stretches = [{ fromMs: startMs, offMs: 0 }]
  }

  jump(atMs: number, byMs: number): void {
    this.#stretches.push({ fromMs: atMs, offMs: this.#offMs + byMs })
  }

  /** What it shows at a true moment that is not before the last jump. */
  wallAt(trueMs: number): number {
    return trueMs + this.#offMs
  }

  /** When it showed that; where it showed it twice, the later time. */
  trueAt(wallMs: number): number {
    for (const [index, { fromMs, offMs }] of [...this.#stretches.entries()].toReversed()) {
      const untilMs = this.#stretches[index + 1]?.fromMs ?? Number.POSITIVE_INFINITY
      const trueMs = wallMs - offMs
      if (trueMs >= fromMs && trueMs <= untilMs) return trueMs
    }
    return wallMs - this.#offMs
  }

  get #offMs(): number {
    return this.#stretches.at(-1)?.offMs ?? 0
  }
}
