/** What was there when a test looked: the alerts, the readings and the messages, with times as the test counts them. Types. */
import type { Json, Value } from '../../runtime/reading.ts'

export type SeenSnippet = {
  readonly count: number
  readonly bytes: number
  /** In the clock of its readings. */
  readonly fromMs: number
  readonly toMs: number
  readonly thinned: boolean
  readonly series: readonly string[]
}

export type SeenAlert = {
  readonly state: 'pending' | 'firing' | 'latched' | 'resolved'
  readonly rule: string
  readonly device: string
  readonly metric: string
  /** Of the rule, of the device, and those that every alert has. */
  readonly labels: Readonly<Record<string, string>>
  readonly annotations: Readonly<Record<string, string>>
  readonly value: Json
  readonly threshold: number | null
  readonly sinceMs: number
  readonly firedMs: number | undefined
  readonly resolvedMs: number | undefined
  readonly late: boolean
  readonly flapping: boolean
  readonly silenced: boolean
  readonly acked: boolean
  readonly snippet: SeenSnippet | undefined
}

export type SeenReading = { readonly atMs: number; readonly value: Value }
export type SeenMessage = { readonly atMs: number; readonly topic: string; readonly payload: Json }

/** What there was at the moment of one expectation: only what that expectation looks at is filled in. */
export type Sight = {
  readonly alerts: readonly SeenAlert[]
  /** For each series that is expected, in its order, all its readings. */
  readonly readings: readonly (readonly SeenReading[])[]
  readonly messages: readonly SeenMessage[]
}
