/** TCP connections that say nothing: each holds a place until somebody's patience ends [A14]. */
import type { Attack } from './attack.ts'

export const silentSockets: Attack = {
  name: 'silent-sockets',
  about: 'opens connections and says nothing',
  connections: 400,
  perSecond: 200,
  act: attacker => {
    attacker.wire()
  },
}
