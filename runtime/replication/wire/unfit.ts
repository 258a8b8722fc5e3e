/** What a receiver does with rows that a commit refuses: which errors are about them, and what has to stay together. Pure. */
import { HoldfastError } from '../../errors.ts'
import type { FrameRow } from './frames.ts'

/** These errors are about the rows, not about the disk: trying again will not help. */
const rowErrors: ReadonlySet<string> = new Set([
  'RECORD_TOO_LARGE',
  'TABLE_KIND',
  'TABLE_UNKNOWN',
  'TOO_MANY_SERIES',
  'BAD_ARGUMENT',
])

export const isAboutRows = (error: unknown): boolean => error instanceof HoldfastError && rowErrors.has(error.code)

export function transactionsOf(rows: readonly FrameRow[]): FrameRow[][] {
  const transactions: FrameRow[][] = []
  for (const row of rows) {
    const open = transactions.at(-1)
    if (row.joined && open !== undefined) open.push(row)
    else transactions.push([row])
  }
  return transactions
}
