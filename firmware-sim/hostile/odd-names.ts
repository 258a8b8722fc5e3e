/**
 * Names and numbers that MQTT forbids or that programs stumble over: NUL, control characters, bytes that are no UTF-8,
 * names of JavaScript's own objects, empty ids, a will of QoS 3, packet id 0, bytes behind the end [A6, A8, A9].
 */
import type { Attack, Attacker } from './attack.ts'
import { connect, frame, publish, subscribe, text, twoBytes, types } from './packets.ts'
import type { Wire } from './wire.ts'

/** Also what a fuzzer may take for a topic, a filter, a client id or a user. */
export const oddNames: readonly Buffer[] = [
  '',
  '__proto__',
  'constructor',
  'toString',
  'hasOwnProperty',
  '../../etc/passwd',
  'a\0b',
  '\u0001',
  'a\nb',
  '\u001b[2J',
  '\uffff',
  '\ufeff',
  '/',
  '//',
  '+',
  '#',
  'a#',
  'a/#/b',
  '$SYS/x',
  'x'.repeat(65_535),
]
  .map(name => Buffer.from(name))
  .concat(Buffer.from([0xff, 0xfe]), Buffer.from([0xc0, 0x80]), Buffer.from([0xed, 0xa0, 0x80]))

type Oddity = (wire: Wire, name: Buffer, attacker: Attacker) => void

const oddConnect = (level: number, flags: number, rest: readonly Buffer[]): Buffer =>
  frame(types.connect, 0, [text('MQTT'), Buffer.from([level, flags]), twoBytes(60), ...rest])

/** What is said before, or instead of, a CONNECT that is as it should be. */
const first: readonly Oddity[] = [
  (wire, name) => wire.send(oddConnect(4, 2, [text(name)])),
  (wire, name) => wire.send(oddConnect(4, 0x82, [text('odd'), text(name)])),
  (wire, name) => wire.send(oddConnect(4, 6, [text('odd'), text(name), text('will')])),
  wire => wire.send(oddConnect(4, 0, [text('')])), // an empty id that wants to be kept
  wire => wire.send(oddConnect(4, 0x1e, [text('odd'), text('w'), text('will of QoS 3')])),
  wire => wire.send(oddConnect(4, 3, [text('odd')])), // the reserved flag
  wire => wire.send(oddConnect(4, 0x42, [text('odd'), text('a password without a user')])),
  wire => wire.send(oddConnect(4, 2, [text('odd'), Buffer.alloc(100)])), // bytes behind the end
  wire => wire.send(oddConnect(5, 2, [Buffer.from([0]), text('odd')])),
  wire => wire.send(oddConnect(9, 2, [text('odd')])),
  wire => wire.send(publish({ topic: 'hostile/before-connect', payload: 'x' })),
  wire => wire.send(Buffer.from('GET / HTTP/1.1\r\nHost: gateway\r\n\r\n')),
]

/** What is said by a guest. */
const later: readonly Oddity[] = [
  (wire, name) => wire.send(frame(types.publish, 0, [text(name), Buffer.from('x')])),
  (wire, name) => wire.send(frame(types.publish, 3, [text(name), twoBytes(5), Buffer.from('x')])),
  (wire, name) => wire.send(frame(types.subscribe, 2, [twoBytes(1), text(name), Buffer.from([1])])),
  (wire, name) => wire.send(frame(types.unsubscribe, 2, [twoBytes(1), text(name)])),
  wire => wire.send(publish({ topic: 'hostile/id-0', payload: 'x', qos: 1, id: 0 })),
  wire => wire.send(frame(types.publish, 6, [text('hostile/qos-3'), twoBytes(1)])),
  wire => wire.send(subscribe(0, ['hostile/id-0'], 0)),
  wire => wire.send(subscribe(1, [], 0)),
  wire => wire.send(subscribe(1, ['hostile/qos-3'], 3)),
  wire => wire.send(frame(types.puback, 0, [twoBytes(1), Buffer.alloc(20)])),
  wire => wire.send(frame(types.pingreq, 0, [Buffer.alloc(20)])),
  wire => wire.send(frame(0, 0, [])),
  wire => wire.send(frame(types.auth, 0, [])),
  (wire, _name, attacker) => wire.send(connect({ clientId: attacker.clientId })), // a second time
]

export const odd: Attack = {
  name: 'odd-names',
  about: 'says what MQTT forbids: control characters, no UTF-8, reserved flags, packet id 0, __proto__',
  connections: 30,
  perSecond: 300,
  act: attacker => {
    const name = oddNames[attacker.below(oddNames.length)] ?? Buffer.alloc(0)
    if (attacker.index % 2 === 0) {
      const wire = attacker.wire()
      // Whoever lets it in has let it in: on to the next.
      if (wire.step++ > 0) return wire.step > 3 ? wire.cut() : undefined
      return first[attacker.below(first.length)]?.(wire, name, attacker)
    }
    const wire = attacker.guest()
    if (wire) later[attacker.below(later.length)]?.(wire, name, attacker)
  },
}
