/** CONNECT with the client ids of honest devices, to throw them out and to speak for them [A5]. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

export const identityTheft: Attack = {
  name: 'identity-theft',
  about: 'connects under the client ids of honest devices, and publishes readings as if it were them',
  connections: 10,
  perSecond: 50,
  act: attacker => {
    const victim = attacker.victims[attacker.below(attacker.victims.length)]
    if (victim === undefined) return
    const wire = attacker.guest({ clientId: victim })
    wire?.send(publish({ topic: `sensors/${victim}/stolen`, payload: '{"value":666}', qos: 0 }))
  },
}
