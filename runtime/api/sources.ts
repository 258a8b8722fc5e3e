/** What a gateway tells of its sources. Pure. */

export type SourceSection = {
  readonly name: string
  readonly kind: string
  /** Where it takes its readings from. */
  readonly from: string
  readonly state: 'connected' | 'offline'
  /** Since when it is so. */
  readonly since_ms: number | null
  /** Why it is offline, in a sentence. */
  readonly reason?: string | undefined
  /** When it tries again; null while it is connected. */
  readonly next_attempt_ms: number | null
  readonly mqtt_version?: string | undefined
  /** Messages received that are not stored and acknowledged yet. */
  readonly unanswered: number
  /** What is wrong although it may be connected, each in a sentence. */
  readonly warnings: readonly string[]
  /** Since the start. */
  readonly counters: Readonly<Record<string, number>>
}

/** What the room of the sources tells. */
type Told = {
  readonly name: string
  readonly kind: string
  readonly from: string
  readonly state: 'connected' | 'offline'
  readonly sinceMs: number | undefined
  readonly reason: string | undefined
  readonly nextAttemptInMs: number | undefined
  readonly mqtt: string | undefined
  readonly unanswered: number
  readonly warnings: readonly string[]
  readonly counters: Readonly<Record<string, number>>
}

export function sourceSection(told: Told, nowMs: number): SourceSection {
  const { name, kind, from, state, reason, unanswered, warnings, counters } = told
  return {
    name,
    kind,
    from,
    state,
    since_ms: told.sinceMs ?? null,
    reason,
    next_attempt_ms: told.nextAttemptInMs === undefined ? null : Math.round(nowMs + told.nextAttemptInMs),
    mqtt_version: told.mqtt,
    unanswered,
    warnings,
    counters,
  }
}
