/**
 * Times that a device writes without a zone. Where clocks are set back an hour happens twice, and where they are set forward
 * one does not happen: then there is no time, for a wrong one would be worse than the gateway's own.
 */
import type { ZoneOffset } from './device-time.ts'

const dayMs = 24 * 3_600_000

/** The instant at which clocks of a zone showed `localMs` (as if it were UTC), if there is exactly one. */
export function instantOf(localMs: number, offset: ZoneOffset): number | undefined {
  // A zone changes its clocks far less often than every day, so one of these two offsets holds at any time between.
  const before = localMs - offset(localMs - dayMs)
  const after = localMs - offset(localMs + dayMs)
  const beforeIsRight = before + offset(before) === localMs
  const afterIsRight = after + offset(after) === localMs
  if (beforeIsRight && afterIsRight) return before === after ? before : undefined
  if (beforeIsRight) return before
  return afterIsRight ? after : undefined
}
