/** As many readings as the socket takes, in pieces of a hundred, without waiting for one acknowledgement. */
import type { Attack } from './attack.ts'
import { publish } from './packets.ts'

const perAct = 100

export const publishFlood: Attack = {
  name: 'publish-flood',
  about: 'publishes readings in hundreds without waiting for an acknowledgement',
  connections: 5,
  perSecond: 100,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    const packets = Array.from({ length: perAct }, (_, index) =>
      publish({
        topic: `sensors/hostile-flood-${attacker.index}/m`,
        payload: `{"value":${index}}`,
        qos: 1,
        id: 1 + ((attacker.turn * perAct + index) % 65_535),
      }),
    )
    wire.send(Buffer.concat(packets), perAct)
  },
}
