/** Conversations of random and mutated packets, as a fuzzer has them [A11]. */
import type { Attack } from './attack.ts'
import { conversation } from './grammar.ts'

export const mutants: Attack = {
  name: 'mutants',
  about: 'sends random conversations with mutated packets: flipped, cut, spliced, with lengths that lie',
  connections: 20,
  perSecond: 300,
  act: attacker => {
    const wire = attacker.wire()
    if (wire.step++ > 0) return wire.step > 2 ? wire.cut() : undefined
    for (const packet of conversation(attacker.below, attacker.clientId)) wire.send(packet)
  },
}
