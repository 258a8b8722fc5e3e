/**
 * The contract behind which each attack stands: how many attackers there are, how often they act, and what one act of one
 * of them is. An attack is one small file; the list is `attacks.ts`. `siege.ts` runs them, and bounds what they do.
 *
 * An act must return at once and never throw; all it may remember is on its wire. Chance comes from the attacker, so that
 * a seed makes the same attack again.
 */
import type { Connect } from './packets.ts'
import type { Wire } from './wire.ts'

export type Attack = {
  readonly name: string
  /** One sentence for a person: what it does, and what it hopes for. */
  readonly about: string
  /** Attackers, each with one connection at a time. */
  readonly connections: number
  /** Acts per second of all of them together. */
  readonly perSecond: number
  readonly act: (attacker: Attacker) => void
}

export type Attacker = {
  /** From 0, of this attack. */
  readonly index: number
  /** Acts of this attacker before this one. */
  readonly turn: number
  readonly clientId: string
  readonly user: string | undefined
  readonly password: string | undefined
  /** Client ids that belong to honest devices. */
  readonly victims: readonly string[]
  /** A whole number from 0 up to, but not, `end`. */
  readonly below: (end: number) => number
  /** The connection as it is, opened now if there is none. Nothing has been said on a new one. */
  readonly wire: () => Wire
  /** The same with a CONNECT said as everybody says it, and as `wish` wants it; undefined until it is welcomed. */
  readonly guest: (wish?: Partial<Connect>) => Wire | undefined
}
