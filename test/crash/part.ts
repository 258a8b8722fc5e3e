/** What every part of the fault campaign tells of itself. Types only. */

/** One line of the summary. */
export type Figures = {
  readonly name: string
  readonly rounds: number
  readonly acknowledged: number
  readonly missing: number
  readonly openedByItself: number
  readonly repaired: number
  readonly ms: number
  readonly problems: readonly string[]
  /** What else there is to say. */
  readonly note?: string
}
export type Counted = Omit<Figures, 'name' | 'ms'>
export type Progress = (done: number, all: number) => void
