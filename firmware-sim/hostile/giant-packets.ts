/**
 * Packets of 256 MB are announced, and some bytes of them come: a broker that believes the announcement reserves them all
 * [A2]. Others are really as large as many brokers allow, one after the other.
 */
import type { Attack } from './attack.ts'
import { header, publish, text, types } from './packets.ts'

/** The most that four length bytes can say [MQTT-2.2.3]. */
const announcedBytes = 268_435_455
const pieceBytes = 16 * 1024
/** Just below Holdfast's own limit, and twice as much. */
const sentBytes = [255 * 1024, 512 * 1024] as const

export const giantPackets: Attack = {
  name: 'giant-packets',
  about: 'announces packets of 256 MB and sends some of them; others really send 255 kB and 512 kB',
  connections: 50,
  perSecond: 100,
  act: attacker => {
    const wire = attacker.guest()
    if (!wire) return
    const bytes = sentBytes[attacker.index % 3]
    if (bytes !== undefined) {
      wire.send(publish({ topic: `hostile/${attacker.clientId}`, payload: Buffer.alloc(bytes, 'x'), qos: 1 }))
    } else if (wire.step++ === 0) {
      wire.send(Buffer.concat([header(types.publish, 2, announcedBytes), text('hostile/giant')]))
    } else {
      wire.send(Buffer.alloc(pieceBytes), 0)
    }
  },
}
