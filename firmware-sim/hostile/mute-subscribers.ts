/** Subscribers of QoS 1 and 2 that read and never acknowledge: what is on its way to them may not pile up [A4]. */
import type { Attack } from './attack.ts'
import { publish, subscribe } from './packets.ts'

export const muteSubscribers: Attack = {
  name: 'mute-subscribers',
  about: 'subscribes with QoS 1 and 2 and never acknowledges what it is sent',
  connections: 20,
  perSecond: 200,
  act: attacker => {
    const wire = attacker.guest({ clean: attacker.index % 3 !== 0 })
    if (!wire) return
    if (attacker.index % 4 === 0) {
      const id = 1 + (attacker.turn % 65_535)
      wire.send(publish({ topic: 'hostile/mute', payload: Buffer.alloc(1_024, 'x'), qos: 1, id }))
    } else if (wire.step++ === 0) {
      wire.send(subscribe(1, ['hostile/mute'], 1 + (attacker.index % 2)))
    }
  },
}
