/**
 * What is written to the disk, as the status tells it: the budget of an SD card. Two figures stand side by side: what the
 * system says that the process has written (`process_bytes`, null where it does not say), and what the store has given to
 * its database (`store_bytes`). Pure.
 */
import type { DurationCounts } from '../store/durations.ts'
import type { StoreStatus } from '../store/options.ts'
import type { Written } from '../store/wear.ts'

type Bytes = { readonly process_bytes: number | null; readonly store_bytes: number }
export type WrittenForm = Bytes & { readonly readings: number; readonly commits: number }

export type DiskSection = {
  readonly free_bytes: number | null
  /** Since the start. */
  readonly since_start: WrittenForm & { readonly for_ms: number }
  /** Since the start, for each reading stored; null while none is. */
  readonly per_reading: Bytes | null
  /** What a day comes to at the pace since the start; null in the first minute. */
  readonly per_day: Bytes | null
  /** The day of UTC that it is, and those before it that are known, over restarts. `day` is 2026-11-23. */
  readonly today: WrittenForm
  readonly days: readonly (WrittenForm & { readonly day: string })[]
  /** In the life of this database. */
  readonly total: WrittenForm
  /** Groups written since the start, by the most urgent commit in each. */
  readonly commits: Readonly<Record<'interval' | 'now' | 'lazy', number>>
  readonly commit_durations: DurationCounts
}

/** Sooner a pace says more of the start than of the day. */
const paceFromMs = 60_000
const dayMs = 86_400_000

export function diskSection({ freeBytes, wear }: StoreStatus): DiskSection {
  const { sinceStart, sinceStartMs, days, total, commitsBy } = wear
  const today = days.at(-1)
  return {
    free_bytes: freeBytes,
    since_start: { ...writtenForm(sinceStart), for_ms: Math.round(sinceStartMs) },
    per_reading: sinceStart.readings === 0 ? null : times(sinceStart, 1 / sinceStart.readings),
    per_day: sinceStartMs < paceFromMs ? null : times(sinceStart, dayMs / sinceStartMs),
    today: writtenForm(today ?? nothing),
    days: days.map(day => ({ day: new Date(day.dayMs).toISOString().slice(0, 10), ...writtenForm(day) })),
    total: writtenForm(total),
    commits: commitsBy,
    commit_durations: wear.writeDurations,
  }
}

const nothing: Written = { processBytes: null, storeBytes: 0, readings: 0, commits: 0 }

function writtenForm({ processBytes, storeBytes, readings, commits }: Written): WrittenForm {
  return { process_bytes: processBytes, store_bytes: storeBytes, readings, commits }
}

function times({ processBytes, storeBytes }: Written, factor: number): Bytes {
  return {
    process_bytes: processBytes === null ? null : Math.round(processBytes * factor),
    store_bytes: Math.round(storeBytes * factor),
  }
}
