/** What a link is told, what it tells, and what its status says. Types only. */
import type { DeniedTopic } from './breaker.ts'
import type { TlsOptions } from './dial.ts'
import type { MishapKind } from './mishap.ts'
import type { MqttChoice } from './version-choice.ts'

export type LinkOptions = {
  readonly name: string
  readonly url: string
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** What to subscribe to, before anyone is told that the link is up; nothing, where only we have something to say. */
  readonly filter: string | undefined
  readonly keepaliveMs: number
  readonly tls: TlsOptions | undefined
  /** In place of `password` and `tls`. */
  readonly secrets?: LinkSecrets | undefined
  /** Left out: MQTT 5 where the far side speaks it, else 3.1.1. */
  readonly mqtt?: MqttChoice
  /** Finds topics that the far side's access rules keep from us (breaker.ts); left out, whoever publishes does. */
  readonly findsDenied?: boolean
  /** Can the wall clock be believed? Left out: yes. */
  readonly clockTrusted?: () => boolean
}

/** Certificates and passwords that may change while we run. */
export type LinkSecrets = {
  /** Asked for each connection. Throws a sentence if they are not in order. */
  readonly current: () => { readonly password: string | undefined; readonly tls: TlsOptions | undefined }
  /** What a person has to know of them although the link may be up. */
  readonly warning: () => string | undefined
  /** By the wall clock. */
  readonly expiresMs: () => number | undefined
  /** Returns a function that calls it off. */
  readonly onChange: (run: () => void) => () => void
}

export type LinkEvents = {
  readonly onUp: () => void
  readonly onDown: () => void
  readonly onMessage: (topic: string, payload: Buffer) => void
  /** There is room for a message again, after there was none. */
  readonly onRoom?: () => void
}

export type LinkStatus = {
  readonly state: 'connecting' | 'connected' | 'waiting' | 'closed'
  /** By the wall clock: since when it is connected, or is not. */
  readonly sinceMs: number | undefined
  /** Why the last connection or attempt ended, of what kind that is, and when, by the wall clock. */
  readonly reason: string | undefined
  readonly kind: MishapKind | undefined
  /** Attempts since a connection held. */
  readonly attempts: number
  /** How long until the next attempt; undefined unless waiting. */
  readonly nextAttemptInMs: number | undefined
  /** The version of MQTT that is spoken, or that is tried next. */
  readonly mqtt: '3.1.1' | '5'
  /** Topics that the far side's access rules keep from us, each with what to do. */
  readonly denied: readonly DeniedTopic[]
  /** When our certificate expires, by the wall clock. */
  readonly certificateExpiresMs?: number | undefined
  /** What is wrong although it may be connected. */
  readonly warnings: readonly string[]
  /** By the wall clock. */
  readonly connectedAtMs: number | undefined
}
