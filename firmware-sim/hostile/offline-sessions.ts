/** Kept sessions of ever new clients that subscribe and go, and publishers that fill their queues [A4]. */
import type { Attack } from './attack.ts'
import { publish, subscribe } from './packets.ts'

const publishersEvery = 10

export const offlineSessions: Attack = {
  name: 'offline-sessions',
  about: 'leaves kept sessions of ever new clients behind and publishes what must be queued for them',
  connections: 20,
  perSecond: 400,
  act: attacker => {
    if (attacker.index % publishersEvery === 0) {
      const id = 1 + (attacker.turn % 65_535)
      attacker.guest()?.send(publish({ topic: 'hostile/offline', payload: Buffer.alloc(1_024, 'x'), qos: 1, id }))
      return
    }
    const wire = attacker.guest({ clientId: `${attacker.clientId}-${attacker.turn}`, clean: false })
    if (!wire) return
    wire.step += 1
    if (wire.step === 1) wire.send(subscribe(1, ['hostile/offline', 'sensors/+/hostile'], 1))
    else wire.end()
  },
}
