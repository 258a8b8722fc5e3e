/** Readings of ever new devices, as a gateway's own route takes them: each is a device and a series that nobody knows. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

export const deviceFlood: Attack = {
  name: 'device-flood',
  about: 'publishes readings of ever new devices and metrics',
  connections: 10,
  perSecond: 500,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    const topic = `sensors/hostile-${attacker.index}-${attacker.turn}/m${attacker.below(1_000)}`
    wire.send(publish({ topic, payload: '{"value":1}', qos: 1, id: 1 + (attacker.turn % 65_535) }))
  },
}
