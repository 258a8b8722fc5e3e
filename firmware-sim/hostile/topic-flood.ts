/** Ever new topics, and topics of ever more levels: what is remembered of each adds up, and deep ones cost most [A6]. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

/** Half are a little deeper than most brokers allow, half as deep as a topic can be. */
const levelsMost = [100, 30_000] as const

export const topicFlood: Attack = {
  name: 'topic-flood',
  about: 'publishes on ever new topics, some of them thousands of levels deep',
  connections: 20,
  perSecond: 2_000,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    // Most brokers hang up over a deep one: it comes seldom, so that the others go on.
    const isDeep = attacker.below(100) === 0
    const topic = isDeep
      ? 'a/'.repeat(attacker.below(levelsMost[attacker.below(2)] ?? 0))
      : `hostile/${attacker.index}/${attacker.turn}/t`
    const qos = attacker.turn % 2
    wire.send(publish({ topic, payload: 'x', qos, id: 1 + (attacker.turn % 65_535) }))
  },
}
