/** In and out again, as a device with a weak supply does a thousand times a minute. */
import type { Attack } from './attack.ts'
import { disconnect } from './packets.ts'

export const reconnectStorm: Attack = {
  name: 'reconnect-storm',
  about: 'connects and is gone at once, with a DISCONNECT or without, in clean sessions and in kept ones',
  connections: 50,
  perSecond: 500,
  act: attacker => {
    const wire = attacker.guest({ clean: attacker.index % 2 === 0 })
    if (!wire) return
    if (attacker.below(2) === 0) return wire.cut()
    wire.send(disconnect)
    wire.end()
  },
}
