/**
 * Bytes per day. The day is that of UTC by a wall clock that is trusted; while it is not, 24 hours of running time. Pure.
 *
 * Promises: nothing but the passing of a day refills it: no restart (what `kept` says is durable), no clock that is set
 * back and forth, and none that becomes trusted. A clock that was wrongly far ahead does not stop it for ever either.
 */
import type { Json } from '../../reading.ts'

const dayMs = 86_400_000

export type Now = { readonly wallMs: number; readonly monotonicMs: number; readonly isTrusted: boolean }

export type Budget = {
  readonly dailyBytes: number
  readonly usedBytes: number
  /** Days since 1970, if the clock was trusted when that was last looked at. */
  readonly day: number | undefined
  /** Running time since it was filled. */
  readonly elapsedMs: number
  readonly atMs: number
}

/** As it was kept, or full. */
export function openBudget(dailyBytes: number, kept: Json | undefined, now: Now): Budget {
  const { usedBytes, day, elapsedMs } = (kept ?? {}) as Record<string, Json | undefined>
  const number = (value: Json | undefined): number | undefined => (typeof value === 'number' ? value : undefined)
  return passed(
    {
      dailyBytes,
      usedBytes: number(usedBytes) ?? 0,
      day: number(day),
      elapsedMs: number(elapsedMs) ?? 0,
      atMs: now.monotonicMs,
    },
    now,
  )
}

export const kept = ({ usedBytes, day, elapsedMs }: Budget): Json => ({
  usedBytes,
  ...(day === undefined ? {} : { day }),
  elapsedMs,
})

/** Time passes, and with a new day the budget is full again. */
export function passed(budget: Budget, now: Now): Budget {
  const elapsedMs = budget.elapsedMs + Math.max(0, now.monotonicMs - budget.atMs)
  const on = { ...budget, elapsedMs, atMs: now.monotonicMs }
  if (!now.isTrusted) return elapsedMs < dayMs ? on : { ...on, usedBytes: 0, elapsedMs: 0 }
  const day = Math.floor(now.wallMs / dayMs)
  // A day before that of the last look, or the first look with a clock: the same budget, by another name.
  if (budget.day === undefined || day <= budget.day) return { ...on, day }
  return { ...on, day, usedBytes: 0, elapsedMs: 0 }
}

export const spent = (budget: Budget, bytes: number): Budget => ({ ...budget, usedBytes: budget.usedBytes + bytes })

export const leftBytes = ({ dailyBytes, usedBytes }: Budget): number => Math.max(0, dailyBytes - usedBytes)

/** When it is full again, by the wall clock of `now`, trusted or not. */
export function renewsAtMs({ elapsedMs, atMs }: Budget, { wallMs, monotonicMs, isTrusted }: Now): number {
  if (isTrusted) return (Math.floor(wallMs / dayMs) + 1) * dayMs
  return wallMs + Math.max(0, dayMs - elapsedMs - (monotonicMs - atMs))
}
