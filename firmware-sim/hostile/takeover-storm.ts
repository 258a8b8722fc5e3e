/** Many connections under few client ids: each CONNECT ends the one before it, and each end is work [MQTT-3.1.4-2]. */
import type { Attack } from './attack.ts'

const idsShared = 3

export const takeoverStorm: Attack = {
  name: 'takeover-storm',
  about: 'connects again and again under the same few client ids, so that each throws out the one before',
  connections: 30,
  perSecond: 400,
  act: attacker => {
    const id = attacker.index % idsShared
    attacker.guest({ clientId: `hostile-shared-${id}`, clean: id !== 0 })
  },
}
