/** A CONNECT with a will, CONNACK, a reset: each death is a publish that the broker makes itself [A12]. */
import type { Attack } from './attack.ts'

const payloadBytes = 1_800

export const willStorm: Attack = {
  name: 'will-storm',
  about: 'connects with a will and dies, over and over; wills are readings or retained messages',
  connections: 50,
  perSecond: 400,
  act: attacker => {
    const topic =
      attacker.index % 2 === 0 ? `sensors/hostile-will-${attacker.index}/m` : `hostile/will/${attacker.turn}`
    const retain = attacker.index % 4 === 1
    const will = { topic, payload: Buffer.alloc(payloadBytes, '7'), qos: attacker.index % 3, retain }
    attacker.guest({ will })?.cut()
  },
}
