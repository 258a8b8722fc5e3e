/** Subscribers that never read, and publishers who see to it that there is something to read [A7]. */
import type { Attack } from './attack.ts'
import { publish, subscribe } from './packets.ts'

const payloadBytes = 64 * 1024

export const slowReaders: Attack = {
  name: 'slow-readers',
  about: 'subscribes and never reads, while others publish what must be sent to it',
  connections: 40,
  perSecond: 100,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    if (attacker.index % 4 === 0) {
      wire.send(publish({ topic: 'hostile/slow', payload: Buffer.alloc(payloadBytes, 'x') }))
    } else if (wire.step++ === 0) {
      wire.send(subscribe(1, ['hostile/slow', 'sensors/#'], attacker.index % 2))
      wire.stopReading()
    }
  },
}
