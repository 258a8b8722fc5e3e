/** What the judge is given: readings as a log holds them. */
import type { Value } from '../../runtime/reading.ts'

/** Who measured what. One object per series, so identity is equality. */
export type JudgedSeries = {
  readonly table: string
  readonly origin: string
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
}

/** A reading as its log holds it. */
export type JudgedReading = {
  readonly series: JudgedSeries
  readonly value: Value
  readonly arrivalMs: number
  readonly deviceTimeMs: number | undefined
  /** Its place in the log of its table. */
  readonly seq: number
}

/** The time that windows and histories go by: the device's own if it sent one. */
export const timeOf = ({ deviceTimeMs, arrivalMs }: JudgedReading): number => deviceTimeMs ?? arrivalMs
