/** Retained messages on ever new topics: a broker keeps each of them for ever unless it counts [A4]. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

const payloadBytes = 4 * 1024

export const retainedFlood: Attack = {
  name: 'retained-flood',
  about: 'publishes retained messages of 4 kB on ever new topics',
  connections: 10,
  perSecond: 500,
  act: attacker => {
    const wire = attacker.guest()
    const topic = `hostile/retained/${attacker.index}/${attacker.turn}`
    const id = 1 + (attacker.turn % 65_535)
    wire?.send(publish({ topic, payload: Buffer.alloc(payloadBytes, 'x'), qos: 1, id, retain: true }))
  },
}
