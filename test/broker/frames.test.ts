import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { Frames } from '../../runtime/broker/frames.ts'
import { defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import { connectPacket, openClient, openRig, openSocket, publishPacket, type RawClient, until } from './rig.ts'

const timeout = 60_000

function framesOf(chunks: readonly Buffer[]): string[] {
  const frames = new Frames(defaultBrokerLimits)
  const found: string[] = []
  for (const chunk of chunks) {
    frames.add(chunk)
    while (frames.next()) {
      const { type, flags, start, body, end } = frames
      found.push(`${type} ${flags} ${body - start} ${frames.buffer.toString('hex', start, end)}`)
    }
  }
  if (frames.fault) found.push(frames.fault)
  return found
}

function cut(bytes: Buffer, sizes: readonly number[]): Buffer[] {
  const chunks: Buffer[] = []
  for (let at = 0, i = 0; at < bytes.length; i++) {
    const size = sizes[i % sizes.length] ?? 1
    chunks.push(bytes.subarray(at, at + size))
    at += size
  }
  return chunks
}

const packet: fc.Arbitrary<Packet> = fc.oneof(
  fc
    .tuple(
      fc.constantFrom('a', 'sensors/b/c'),
      fc.string({ maxLength: 400 }),
      fc.constantFrom(0, 1, 2),
      fc.integer({ min: 1, max: 65_535 }),
    )
    .map(([topic, payload, qos, id]) => publishPacket(topic, payload, qos, id)),
  fc.constant<Packet>({ cmd: 'pingreq' }),
  fc.integer({ min: 1, max: 65_535 }).map(messageId => ({ cmd: 'pubrel' as const, messageId })),
  fc.constant<Packet>({ cmd: 'subscribe', messageId: 3, subscriptions: [{ topic: 'x/#', qos: 1 }] }),
)

test('frames are the same however the stream is cut', () => {
  fc.assert(
    fc.property(
      fc.array(packet, { minLength: 1, maxLength: 20 }),
      fc.array(fc.integer({ min: 1, max: 300 }), { minLength: 1, maxLength: 10 }),
      (packets, sizes) => {
        const whole = packets.map(each => generate(each))
        const found = framesOf(cut(Buffer.concat(whole), sizes))
        assert.deepEqual(found, framesOf([Buffer.concat(whole)]))
        assert.deepEqual(
          found.map(frame => frame.split(' ')[3]),
          whole.map(frame => frame.toString('hex')),
        )
      },
    ),
  )
})

test('a frame cut at each of its boundaries, and byte by byte, is found whole', () => {
  const bytes = Buffer.concat([
    generate(publishPacket('sensors/a', 'x'.repeat(200), 1, 5)),
    generate({ cmd: 'pingreq' }),
  ])
  const whole = framesOf([bytes])
  for (let i = 1; i < bytes.length; i++) assert.deepEqual(framesOf([bytes.subarray(0, i), bytes.subarray(i)]), whole)
  assert.deepEqual(framesOf(cut(bytes, [1])), whole)
})

test('slices of earlier frames do not change when later ones arrive', () => {
  const frames = new Frames(defaultBrokerLimits)
  const held: { slice: Buffer; text: string }[] = []
  for (let i = 0; i < 500; i++) {
    for (const chunk of cut(generate(publishPacket('a', `payload ${i} ${'y'.repeat(i)}`)), [7, 100])) {
      frames.add(chunk)
      while (frames.next()) {
        const slice = frames.buffer.subarray(frames.body, frames.end)
        held.push({ slice, text: slice.toString() })
      }
    }
  }
  assert.equal(held.length, 500)
  for (const { slice, text } of held) assert.equal(slice.toString(), text)
})

test('an announced frame costs memory only as it arrives', () => {
  const frames = new Frames(defaultBrokerLimits)
  frames.add(Buffer.from([0x30, 0x80, 0x80, 0x08])) // 128 KiB
  assert.equal(frames.next(), false)
  assert.ok(frames.heldBytes < 10_000, `${frames.heldBytes}`)
})

const refused: readonly { what: string; bytes: number[]; cause: string }[] = [
  { what: 'a PUBLISH of 200 MB', bytes: [0x30, 0x80, 0x84, 0xaf, 0x5f], cause: 'packet_bytes' },
  { what: 'a CONNECT of 5 kB', bytes: [0x10, 0x88, 0x27], cause: 'connect_bytes' },
  { what: 'a remaining length of five bytes', bytes: [0x30, 0x80, 0x80, 0x80, 0x80], cause: 'packet_length' },
  { what: 'QoS 3 [MQTT-3.3.1-4]', bytes: [0x36, 0x02], cause: 'qos' },
  { what: 'a PINGREQ with a body', bytes: [0xc0, 0x01], cause: 'packet_length' },
  { what: 'a PUBACK with trailing bytes', bytes: [0x40, 0x03], cause: 'packet_length' },
  { what: 'a SUBSCRIBE without its flags [MQTT-3.8.1-1]', bytes: [0x80, 0x05], cause: 'packet_flags' },
  { what: 'a CONNACK, which only a server sends', bytes: [0x20, 0x02], cause: 'packet_type' },
  { what: 'the reserved type 15', bytes: [0xf0, 0x00], cause: 'packet_type' },
]
for (const { what, bytes, cause } of refused) {
  test(`${what} is refused at its header, also byte by byte`, () => {
    assert.deepEqual(framesOf([Buffer.from(bytes)]), [cause])
    assert.deepEqual(framesOf(cut(Buffer.from(bytes), [1])), [cause])
  })
}

test('an announcement of 200 MB closes the connection with memory flat and the cause counted [A2, F7]', {
  timeout,
}, async t => {
  const { broker, port } = await openRig(t)
  const before = process.memoryUsage()
  const clients: RawClient[] = []
  for (let i = 0; i < 20; i++) clients.push(await openClient(t, port, { clientId: `big${i}` }))
  for (const client of clients) {
    client.send(Buffer.from([0x30, 0x80, 0x84, 0xaf, 0x5f]))
    for (let i = 0; i < 20 && !client.socket.destroyed; i++) client.socket.write(Buffer.alloc(64 * 1024))
  }
  await until(() => clients.every(client => client.closed))
  const after = process.memoryUsage()
  assert.ok(after.arrayBuffers + after.external - before.arrayBuffers - before.external < 100e6)
  assert.equal(broker.counters()['refused_packet_bytes'], 20)
})

for (const { what, packet: bad, cause } of [
  { what: 'packet id 0', packet: Buffer.from('320800017300007b7d7d', 'hex'), cause: 'message_id' },
  {
    what: 'a SUBSCRIBE with packet id 0',
    packet: Buffer.from('8206000000016101', 'hex'),
    cause: 'message_id',
  },
  { what: 'a topic longer than its packet', packet: Buffer.from('300400ff6161', 'hex'), cause: 'packet_length' },
  { what: 'an empty topic', packet: Buffer.from('3003000078', 'hex'), cause: 'topic_empty' },
  { what: 'a topic with U+0000', packet: Buffer.from('30050003610061', 'hex'), cause: 'topic_characters' },
  { what: 'a topic that is no UTF-8', packet: Buffer.from('3004000261ff', 'hex'), cause: 'topic_characters' },
  { what: 'a topic with U+FFFF', packet: Buffer.from('30050003efbfbf', 'hex'), cause: 'topic_characters' },
  { what: 'a topic with a wildcard', packet: Buffer.from('30050003612f23', 'hex'), cause: 'topic_wildcard' },
  {
    what: 'a topic of nine levels',
    packet: generate(publishPacket('sensors/2/3/4/5/6/7/8/9', 'x')),
    cause: 'topic_levels',
  },
  {
    what: 'a topic of 257 bytes',
    packet: generate(publishPacket(`sensors/${'x'.repeat(249)}`, 'x')),
    cause: 'topic_bytes',
  },
  {
    what: 'a forged $SYS publish [A3]',
    packet: generate(publishPacket('$SYS/broker/x', 'x', 1, 4)),
    cause: 'topic_system',
  },
  {
    what: 'a retained publish to a $ topic',
    packet: generate(publishPacket('$x', 'x', 0, undefined, true)),
    cause: 'topic_system',
  },
  { what: 'a second CONNECT [MQTT-3.1.0-2]', packet: generate(connectPacket()), cause: 'second_connect' },
]) {
  test(`${what} closes the connection and is counted`, { timeout }, async t => {
    const { broker, intake, port } = await openRig(t)
    const heard: string[] = []
    await broker.subscribe('#', message => heard.push(message.topic))
    const client = await openClient(t, port)
    client.send(bad)
    await until(() => client.closed)
    assert.equal(broker.counters()[`refused_${cause}`], 1)
    assert.deepEqual([intake.accepted.length, heard.length, client.count('puback')], [0, 0, 0])
  })
}

test('a first packet that is no CONNECT closes the connection [MQTT-3.1.0-1]', { timeout }, async t => {
  const { broker, intake, port } = await openRig(t)
  const client = await openSocket(t, port)
  client.send(publishPacket('sensors/a/t', '1', 1, 1))
  await until(() => client.closed)
  assert.deepEqual([intake.accepted.length, broker.counters()['refused_not_connect']], [0, 1])
})

test('a session gives the same readings, order and answers however its bytes are cut', { timeout: 60_000 }, async t => {
  const { intake, port } = await openRig(t)
  let runs = 0
  await fc.assert(
    fc.asyncProperty(
      fc.array(
        fc.tuple(fc.constantFrom('sensors/a/t', 'sensors/b/t', 'other/x'), fc.constantFrom(0, 1, 2), fc.boolean()),
        { minLength: 1, maxLength: 25 },
      ),
      fc.array(fc.integer({ min: 1, max: 60 }), { minLength: 1, maxLength: 6 }),
      async (publishes, sizes) => {
        runs += 1
        const clientId = `cut${runs}`
        const packets = publishes.map(([topic, qos, retain], i) => publishPacket(topic, `${i}`, qos, i + 1, retain))
        const client = await openSocket(t, port)
        const bytes = Buffer.concat(
          [connectPacket({ clientId }), ...packets, { cmd: 'pingreq' } as Packet].map(each => generate(each)),
        )
        for (const chunk of cut(bytes, sizes)) {
          client.socket.write(chunk)
          await new Promise(resolve => setImmediate(resolve))
        }
        const ids = (wanted: number) => publishes.flatMap(([, qos], i) => (qos === wanted ? [i + 1] : []))
        await client.next('pingresp')
        await until(() => client.count('puback') === ids(1).length && client.count('pubrec') === ids(2).length)
        const readings = publishes.flatMap(([topic], i) => (topic.startsWith('sensors/') ? [`${i}`] : []))
        await until(
          () => intake.accepted.filter(({ publish }) => publish.client === clientId).length === readings.length,
        )
        client.socket.destroy()
        assert.deepEqual(client.messageIds('puback'), ids(1))
        assert.deepEqual(client.messageIds('pubrec'), ids(2))
        const stored = intake.accepted.filter(({ publish }) => publish.client === clientId)
        assert.deepEqual(
          stored.map(({ publish }) => publish.payload.toString()),
          readings,
        )
      },
    ),
    { numRuns: 40 },
  )
})
