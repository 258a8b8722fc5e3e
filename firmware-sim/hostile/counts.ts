/** What attackers count at their own end: what they did, and how it was answered. Types and a beginning. */

export type AttackCounts = {
  attack: string
  attackers: number
  acts: number
  /** TCP connections that opened, and those that did not. */
  connections: number
  connectFailures: number
  /** Connections that are open now. */
  open: number
  /** Connections that the other side has ended, and those it has reset or refused after they were open. */
  closed: number
  packets: number
  bytes: number
  /** Packets that were left out because the other side does not read: an attacker's own memory has an end too. */
  heldBack: number
  /** Answers by name: `connack 0`, `puback`, `suback refused`, `publish`. */
  answers: Record<string, number>
}

export function noAttackCounts(attack: string, attackers: number): AttackCounts {
  return {
    attack,
    attackers,
    acts: 0,
    connections: 0,
    connectFailures: 0,
    open: 0,
    closed: 0,
    packets: 0,
    bytes: 0,
    heldBack: 0,
    answers: {},
  }
}
