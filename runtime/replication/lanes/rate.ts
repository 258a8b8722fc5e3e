/**
 * A token bucket of bytes, by monotonic time. Pure.
 *
 * Whoever may be held back sends while there are tokens, and takes those of its whole frame; whoever is never held back
 * takes its tokens too. So the bucket may be in debt, and what was sent over any longer time keeps to the rate.
 */
export type Bucket = { readonly bytesPerSecond: number; readonly tokens: number; readonly atMs: number }

/** What may gather while nothing is sent: a burst of so long. */
const burstMs = 1_000

/** Tokens are sums of fractions: after just the wait that was told, a trifle may still be missing. */
const roundingMax = 1e-6

export const fullBucket = (bytesPerSecond: number, nowMs: number): Bucket => ({
  bytesPerSecond,
  tokens: (bytesPerSecond * burstMs) / 1_000,
  atMs: nowMs,
})

export function filled(bucket: Bucket, nowMs: number): Bucket {
  const { bytesPerSecond, tokens, atMs } = bucket
  if (nowMs <= atMs) return bucket
  const gathered = tokens + (bytesPerSecond * (nowMs - atMs)) / 1_000
  return { bytesPerSecond, tokens: Math.min(gathered, (bytesPerSecond * burstMs) / 1_000), atMs: nowMs }
}

export function taken(bucket: Bucket, bytes: number, nowMs: number): Bucket {
  const now = filled(bucket, nowMs)
  return { ...now, tokens: now.tokens - bytes }
}

/** How long until there are tokens again; 0 if there are. */
export function waitMs(bucket: Bucket, nowMs: number): number {
  const { tokens, bytesPerSecond } = filled(bucket, nowMs)
  const missing = 1 - tokens
  return missing <= roundingMax ? 0 : Math.ceil((missing / bytesPerSecond) * 1_000)
}
