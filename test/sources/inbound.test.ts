/** Packets of a broker, cut anywhere, against the packets that were written. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { generate, type Packet } from 'mqtt-packet'
import { type Inbound, InboundPackets } from '../../runtime/sources/mqtt/inbound.ts'

const bytesMax = 2_000

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const ends = [...new Set(places.map(place => place % (bytes.length + 1))), bytes.length].toSorted((a, b) => a - b)
  return ends.map((end, index) => bytes.subarray(ends[index - 1] ?? 0, end))
}

function received(chunks: readonly Buffer[], version: 4 | 5): Inbound[] {
  const packets = new InboundPackets(bytesMax, version)
  return chunks.flatMap(chunk => packets.add(chunk))
}

const messages = fc.record({
  topic: fc.stringMatching(/^[a-zé]{1,9}(\/[a-z]{1,9}){0,3}$/),
  payload: fc.uint8Array({ maxLength: 400 }).map(bytes => Buffer.from(bytes)),
  size: fc.oneof({ weight: 4, arbitrary: fc.constant(1) }, fc.constant(20)),
  qos: fc.constantFrom<(0 | 1 | 2)[]>(0, 1, 2),
  dup: fc.boolean(),
  retain: fc.boolean(),
  messageId: fc.integer({ min: 1, max: 65_535 }),
})
const others = fc.constantFrom<Packet>(
  { cmd: 'pingresp' },
  { cmd: 'pubrel', messageId: 7 },
  { cmd: 'suback', messageId: 9, granted: [1] },
)

describe('what a broker sends', () => {
  for (const version of [4, 5] as const) {
    test(`is the same wherever it is cut, and what is too large is told and passed over (version ${version})`, () => {
      const packets = fc.array(fc.oneof({ weight: 4, arbitrary: messages }, others), { maxLength: 12 })
      fc.assert(
        fc.property(packets, fc.array(fc.nat(20_000), { maxLength: 30 }), (sent, places) => {
          const written: Buffer[] = []
          const expected: Inbound[] = []
          for (const one of sent) {
            if ('cmd' in one) {
              const bytes = generate(one, { protocolVersion: version })
              written.push(bytes)
              expected.push(one.cmd === 'pubrel' ? { kind: 'release', id: 7 } : { kind: 'other', bytes })
              continue
            }
            const { topic, retain, qos, messageId, size } = one
            const payload = Buffer.concat(Array.from({ length: size }, () => one.payload))
            const dup = qos > 0 && one.dup
            const bytes = generate(
              { cmd: 'publish', topic, payload, qos, dup, retain, messageId },
              { protocolVersion: version },
            )
            written.push(bytes)
            const id = qos === 0 ? 0 : messageId
            if (bytes.length > bytesMax) expected.push({ kind: 'too-large', topic, qos, id, bytes: bytes.length })
            else expected.push({ kind: 'message', topic, payload, qos, isRepeat: dup, isRetained: retain, id })
          }
          assert.deepEqual(received(cut(Buffer.concat(written), places), version), expected)
        }),
        { numRuns: 150 },
      )
    })
  }

  test('may be any bytes: they end in one fault, or wait for more, and hold no more than a packet', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), fc.constantFrom(4 as const, 5 as const), (bytes, version) => {
        const found = received([Buffer.from(bytes)], version)
        const faults = found.findIndex(({ kind }) => kind === 'fault')
        assert.ok(faults === -1 || faults === found.length - 1, 'nothing comes after a fault')
      }),
      { numRuns: 300 },
    )
  })

  test('is refused where MQTT says that it cannot be', () => {
    const faultOf = (...bytes: number[]) =>
      received([Buffer.from(bytes)], 4).map(one => (one.kind === 'fault' ? one.reason : one.kind))
    assert.deepEqual(faultOf(0x36, 5, 0, 1, 0x61, 0, 1), ['the broker sent a message of QoS 3'])
    assert.deepEqual(faultOf(0x32, 5, 0, 1, 0x61, 0, 0), ['the broker sent a message with the id 0'])
    assert.deepEqual(faultOf(0x30, 2, 0, 0), ['the broker sent a message without a topic'])
    assert.deepEqual(faultOf(0x30, 3, 0, 1, 0xff), ['the broker sent a topic that is no UTF-8'])
    assert.deepEqual(faultOf(0x30, 3, 0, 9, 0x61), ['the broker sent a message that is shorter than its topic'])
    assert.deepEqual(faultOf(0x62, 1, 0), ['the broker sent a release without its id'])
    assert.deepEqual(faultOf(0x90, 0xff, 0xff, 0xff, 0xff, 1), ['the broker sent a length that is none'])
  })
})
