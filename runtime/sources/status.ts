/** What every source tells of itself. Types only. */
export type SourceStatus = {
  readonly name: string
  readonly kind: 'mqtt' | 'modbus-tcp' | 'http-poll'
  /** Where it takes its readings from. */
  readonly from: string
  readonly state: 'connected' | 'offline'
  /** By the wall clock: since when it is connected, or is not. */
  readonly sinceMs: number | undefined
  /** Why it is not, in a sentence. */
  readonly reason: string | undefined
  readonly nextAttemptInMs: number | undefined
  /** The version of MQTT that is spoken. */
  readonly mqtt: '3.1.1' | '5' | undefined
  /** Messages that were received and are not stored and acknowledged yet. */
  readonly unanswered: number
  /** What is wrong although it may be connected, each in a sentence. */
  readonly warnings: readonly string[]
  readonly counters: Readonly<Record<string, number>>
}
