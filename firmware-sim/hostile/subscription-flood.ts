/** Ever new filters, many in a packet, with wildcards that match each other: each message must be held against them all. */
import type { Attack } from './attack.ts'
import { subscribe, unsubscribe } from './packets.ts'

const filtersPerPacket = 20
/** Some are taken back, so that a limit of what is held at once is not the end of it. */
const takenBackEvery = 5

export const subscriptionFlood: Attack = {
  name: 'subscription-flood',
  about: 'subscribes to ever new filters and overlapping wildcards',
  connections: 50,
  perSecond: 200,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    const filters = Array.from({ length: filtersPerPacket }, (_, index) => {
      const levels = ['hostile', `${attacker.turn}`, `${index}`, 'x', 'y']
      return levels.map(level => (attacker.below(3) === 0 ? '+' : level)).join('/')
    })
    const id = 1 + (attacker.turn % 65_535)
    wire.send(attacker.turn % takenBackEvery === 0 ? unsubscribe(id, filters) : subscribe(id, ['#', ...filters], 2))
  },
}
