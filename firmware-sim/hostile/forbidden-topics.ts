/** Subscribing to what tells of others, and publishing what only the broker may say [A3]. */
import type { Attack } from './attack.ts'
import { publish, subscribe } from './packets.ts'

const filters = ['$SYS/#', '$SYS/+/clients/#', '$share/group/#', '#', '+/+/+', 'holdfast/#']
const topics = ['$SYS/broker/uptime', '$SYS/hostile/heartbeat', 'holdfast/alerts', '$share/a/b', '#', 'a/+/b']

export const forbiddenTopics: Attack = {
  name: 'forbidden-topics',
  about: 'subscribes to $SYS and publishes in the name of the broker',
  connections: 20,
  perSecond: 200,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    wire.step += 1
    if (wire.step <= filters.length) return wire.send(subscribe(wire.step, [filters[wire.step - 1] ?? '#'], 1))
    const topic = topics[attacker.below(topics.length)] ?? '#'
    wire.send(publish({ topic, payload: 'forged', qos: attacker.below(3), id: wire.step, retain: true }))
  },
}
