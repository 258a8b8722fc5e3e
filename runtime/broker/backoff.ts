/**
 * How long somebody who keeps failing must wait: not at all for the first failures, then longer with each. Pure; the time
 * comes as an argument, in milliseconds of a clock that never goes back.
 *
 * A failure weighs 1 and its weight runs out with time, at `perSecond`; what weighs beyond `free` is what doubles the wait.
 * After `memoryMs` without a failure and without a wait all is forgotten.
 */
export type BackoffRule = {
  readonly free: number
  readonly firstMs: number
  readonly msMax: number
  readonly perSecond: number
  readonly memoryMs: number
}

export type Failures = { readonly weight: number; readonly atMs: number; readonly untilMs: number }

export const none: Failures = { weight: 0, atMs: 0, untilMs: 0 }

export function afterFailure(failures: Failures, rule: BackoffRule, nowMs: number): Failures {
  const before = isForgotten(failures, rule, nowMs) ? none : failures
  const weight = Math.max(0, before.weight - (Math.max(0, nowMs - before.atMs) / 1_000) * rule.perSecond) + 1
  const beyond = weight - rule.free
  const waitMs = beyond > 0 ? Math.min(rule.msMax, rule.firstMs * 2 ** Math.ceil(beyond - 1)) : 0
  return { weight, atMs: nowMs, untilMs: nowMs + waitMs }
}

export function waitMs({ untilMs }: Failures, nowMs: number): number {
  return Math.max(0, untilMs - nowMs)
}

export function isForgotten({ atMs, untilMs }: Failures, { memoryMs }: BackoffRule, nowMs: number): boolean {
  return nowMs - Math.max(atMs, untilMs) > memoryMs
}
