import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { generate, type Packet, parser } from 'mqtt-packet'
import { AnswerReader, nameOf } from '../../firmware-sim/hostile/answers.ts'
import { connect, header, publish, subscribe, types, unsubscribe } from '../../firmware-sim/hostile/packets.ts'

function parsed(bytes: Buffer, protocolVersion: 3 | 4 | 5 = 4): Packet | undefined {
  const packets: Packet[] = []
  const reader = parser({ protocolVersion })
  reader.on('packet', packet => packets.push(packet))
  reader.on('error', error => assert.fail(error))
  reader.parse(bytes)
  return packets[0]
}

test('what attackers write is MQTT where they mean it to be, in each version', () => {
  for (const version of [3, 4, 5] as const) {
    const will = { topic: 'w', payload: 'gone', qos: 1, retain: true }
    const first = parsed(connect({ clientId: 'c', version, user: 'u', password: 'p', will, clean: false }))
    assert.ok(first?.cmd === 'connect')
    assert.deepEqual(
      [first.protocolVersion, first.clientId, first.clean, first.username, String(first.password), first.will?.topic],
      [version, 'c', false, 'u', 'p', 'w'],
    )
    const message = parsed(publish({ topic: 'a/b', payload: 'hello', qos: 2, id: 700, retain: true, version }), version)
    assert.ok(message?.cmd === 'publish')
    assert.deepEqual([message.topic, String(message.payload), message.messageId], ['a/b', 'hello', 700])
    const asked = parsed(subscribe(7, ['#', 'a/+'], 1, version), version)
    assert.ok(asked?.cmd === 'subscribe')
    assert.deepEqual(
      asked.subscriptions.map(({ topic, qos }) => [topic, qos]),
      [
        ['#', 1],
        ['a/+', 1],
      ],
    )
    assert.equal(parsed(unsubscribe(7, ['#'], version), version)?.cmd, 'unsubscribe')
  }
})

test('a header announces as much as MQTT can say, and the bytes of every length are the right ones', () => {
  assert.deepEqual(header(types.publish, 2, 268_435_455), Buffer.from([0x32, 0xff, 0xff, 0xff, 0x7f]))
  for (const length of [0, 127, 128, 16_383, 16_384, 2_097_151, 2_097_152]) {
    const bytes = header(types.publish, 0, length).subarray(1)
    assert.equal(
      bytes.reduce((sum, byte, index) => sum + (byte & 0x7f) * 128 ** index, 0),
      length,
    )
  }
})

test('answers are counted by name, however the bytes are cut, and a large one is not held', () => {
  const stream = Buffer.concat([
    generate({ cmd: 'connack', returnCode: 5, sessionPresent: false }),
    generate({ cmd: 'puback', messageId: 9 }),
    generate({ cmd: 'suback', messageId: 9, granted: [0, 128] }),
    generate({ cmd: 'publish', topic: 't', payload: 'x'.repeat(70_000), qos: 0, retain: false, dup: false }),
    generate({ cmd: 'pingresp' }),
  ])
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: stream.length - 1 }), { maxLength: 8 }), cuts => {
      const names: string[] = []
      const reader = new AnswerReader(answer => names.push(nameOf(answer)))
      const places = [0, ...cuts.toSorted((a, b) => a - b), stream.length]
      for (const [index, place] of places.slice(1).entries()) reader.read(stream.subarray(places[index], place))
      assert.deepEqual(names, ['connack 5', 'puback', 'suback refused', 'publish', 'pingresp'])
    }),
    { numRuns: 50 },
  )
})
