/** Passwords that are wrong, one after the other: each costs the broker a check that is slow on purpose. */
import type { Attack } from './attack.ts'
import { connect } from './packets.ts'

const names = ['admin', 'root', 'homeassistant', 'device', 'user'] as const

export const failedLogins: Attack = {
  name: 'failed-logins',
  about: 'tries passwords for the names that people use',
  connections: 20,
  perSecond: 200,
  act: attacker => {
    const wire = attacker.wire()
    if (wire.isWelcomed) return wire.end() // it lets everybody in
    if (wire.step++ > 0) return
    const user = names[attacker.below(names.length)]
    wire.send(connect({ clientId: attacker.clientId, user, password: `password${attacker.below(1_000_000)}` }))
  },
}
