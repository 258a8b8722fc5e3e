/** The beginning of a PUBLISH, then nothing, then a reset: each leaves a buffer that waits for its end [A2]. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

const payloadBytes = 16 * 1024

export const halfPackets: Attack = {
  name: 'half-packets',
  about: 'sends half of a packet, waits, and is gone',
  connections: 100,
  perSecond: 400,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    wire.step += 1
    if (wire.step === 1) {
      const packet = publish({ topic: `hostile/${attacker.index}`, payload: Buffer.alloc(payloadBytes), qos: 1 })
      wire.send(packet.subarray(0, 1 + attacker.below(packet.length - 1)))
    } else if (wire.step === 4) {
      wire.cut()
    }
  },
}
