/** PUBLISH of QoS 2 with ever new packet ids, and never a PUBREL: the broker must remember each of them [A6, A13]. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

export const unfinishedQos2: Attack = {
  name: 'unfinished-qos2',
  about: 'begins QoS 2 publishes and never finishes them, in clean sessions and in kept ones',
  connections: 20,
  perSecond: 1_000,
  act: attacker => {
    const wire = attacker.guest({ clean: attacker.index % 2 === 0 })
    if (!wire) return
    wire.step = 1 + (wire.step % 65_535)
    wire.send(publish({ topic: 'hostile/qos2', payload: Buffer.alloc(512), qos: 2, id: wire.step }))
  },
}
