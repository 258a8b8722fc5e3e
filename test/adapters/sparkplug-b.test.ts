/** Sparkplug sessions in any order: what an alias means is what the last birth said, and what is remembered has an end. */
import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Decoded } from '../../adapters/adapter.ts'
import { openAdapter } from '../../adapters/open.ts'
import { decodePayload } from '../../adapters/sparkplug-payload.ts'
import { sparkplugAskedMax, sparkplugMetricsMax, sparkplugNodesMax } from '../../runtime/limits.ts'
import type { Json } from '../../runtime/reading.ts'
import { message, remember } from './message.ts'
import { assertSound } from './sound.ts'
import { encodePayload, type SparkplugMetric, type SparkplugPayload } from './sparkplug.ts'

class Host {
  readonly known = new Map<string, Json>()
  readonly #adapter = openAdapter('sparkplug-b', {})

  hear(verb: string, rest: string, payload: SparkplugPayload): Decoded {
    const topic = `spBv1.0/g/${verb}/${rest}`
    const decoded = this.#adapter.decode(encodePayload(payload), new Map(), message(topic, this.known))
    assertSound(decoded)
    remember(this.known, decoded)
    return decoded
  }

  birth(node: string, metrics: readonly SparkplugMetric[] = [], bdSeq = 0): Decoded {
    return this.hear('NBIRTH', node, {
      seq: 0,
      metrics: [{ name: 'bdSeq', dataType: 'UInt64', value: bdSeq }, ...metrics],
    })
  }

  keys(prefix: string): string[] {
    return [...this.known.keys()].filter(key => key.startsWith(prefix))
  }

  assertCounted(): void {
    const metrics = this.keys('part ').reduce((sum, key) => sum + Object.keys(this.known.get(key) as object).length, 0)
    assert.deepEqual(this.known.get('totals') ?? { nodes: 0, metrics: 0 }, {
      nodes: this.keys('node ').length,
      metrics,
    })
    assert.equal(this.keys('seq ').length, this.keys('node ').length)
  }
}

const asks = (decoded: Decoded): boolean => decoded.more?.replies !== undefined
const reasonOf = (decoded: Decoded): string | undefined => (decoded.ok ? decoded.more?.refused : decoded.reason)
const many = (count: number, from = 0): SparkplugMetric[] =>
  Array.from({ length: count }, (_, index) => ({
    name: `metric-${from + index}`,
    alias: from + index,
    dataType: 'Int32',
    value: index,
  }))

describe('sparkplug-b', () => {
  test('an alias means what the last birth said, whatever was lost, doubled or mixed up', () => {
    const node = fc.constantFrom('n1', 'n2')
    const device = fc.constantFrom('', 'd1', 'd2')
    const step = fc.record({
      kind: fc.constantFrom('birth', 'data', 'data', 'data', 'death'),
      node,
      device,
      alias: fc.nat(3),
      name: fc.constantFrom('a', 'b', 'c'),
      slip: fc.constantFrom(0, 0, 0, 0, 0, 1, 255),
    })
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), steps => {
        const host = new Host()
        const seqs = new Map<string, number>()
        const named = new Map<string, string>()
        const born = new Set<string>()
        const asked = new Set<string>()
        const forget = (beginning: string) => {
          for (const key of named.keys()) if (key.startsWith(beginning)) named.delete(key)
        }
        for (const { kind, node, device, alias, name, slip } of steps) {
          const isNode = device === ''
          const own = `${node}/${device}/`
          const seq = isNode && kind === 'birth' ? 0 : ((seqs.get(node) ?? 0) + slip) & 255
          seqs.set(node, (seq + 1) & 255)
          const metric = { alias, dataType: 'Int32', value: 1 }
          const hear = (word: string, metrics: readonly SparkplugMetric[]): Decoded =>
            host.hear(`${isNode ? 'N' : 'D'}${word}`, isNode ? node : `${node}/${device}`, { seq, metrics })
          let decoded: Decoded
          if (kind === 'birth') {
            forget(isNode ? `${node}/` : own)
            if (isNode) born.add(node)
            if (isNode) asked.delete(node)
            if (born.has(node)) named.set(`${own}${alias}`, name)
            decoded = hear('BIRTH', [{ ...metric, name }])
          } else if (kind === 'death') {
            forget(isNode ? `${node}/` : own)
            if (isNode && born.delete(node)) asked.delete(node)
            decoded = hear('DEATH', [])
          } else {
            decoded = hear('DATA', [metric])
            for (const reading of decoded.ok ? decoded.readings : []) {
              assert.equal(reading.metric, named.get(`${own}${alias}`))
            }
          }
          if (asks(decoded)) {
            assert.ok(!asked.has(node) || seq === 0, 'asked for once')
            asked.add(node)
          }
          host.assertCounted()
        }
      }),
      { numRuns: 300 },
    )
  })

  test('births are asked for once until they come, and again when the sequence begins anew without them', () => {
    const host = new Host()
    host.birth('n')
    const data = (seq: number) => asks(host.hear('NDATA', 'n', { seq, metrics: [{ alias: 1, as: 'Int32', value: 1 }] }))
    assert.equal(data(7), true)
    const again = Array.from({ length: 256 }, (_, index) => data((8 + index) & 255))
    assert.equal(again.filter(Boolean).length, 1)
    assert.equal(again[248], true)
    host.birth('n')
    assert.equal(data(2), true)
  })

  test('what no birth names is asked for three times in a session, not forever', () => {
    const host = new Host()
    const round = () => {
      host.birth('n', many(1))
      return asks(host.hear('NDATA', 'n', { seq: 1, metrics: [{ alias: 99, as: 'Int32', value: 1 }] }))
    }
    assert.deepEqual(Array.from({ length: 5 }, round), [true, true, true, false, false])
    const by = host.hear('NDATA', 'n', { seq: 2, metrics: [{ alias: 0, as: 'Int32', value: 5 }] })
    assert.ok(by.ok && by.readings[0]?.metric === 'metric-0', 'the others are still understood')
    host.birth('n', [], 1)
    assert.ok(asks(host.hear('NDATA', 'n', { seq: 1, metrics: [{ alias: 99, as: 'Int32', value: 1 }] })))
  })

  test('what asks for births is a command that an edge node takes', () => {
    const decoded = new Host().hear('NDATA', 'n', { seq: 5, timestamp: 12 })
    const [reply] = decoded.more?.replies ?? []
    assert.ok(reply && reply.topic === 'spBv1.0/g/NCMD/n' && reply.payload instanceof Uint8Array)
    const asked = decodePayload(reply.payload)
    assert.ok(asked.ok)
    const timestamp = BigInt(Date.UTC(2026, 0, 1))
    const metrics = [{ name: 'Node Control/Rebirth', timestamp, datatype: 11, boolean: true }]
    assert.deepEqual(asked.payload, { timestamp, metrics })
  })

  test('a birth of more metrics than a message may have is refused, and not asked for again', () => {
    const host = new Host()
    host.birth('n')
    const full = host.hear('DBIRTH', 'n/d', { seq: 1, metrics: many(1_000) })
    assert.ok(full.ok && full.readings.length === 1_000)
    assert.match(
      reasonOf(host.hear('DBIRTH', 'n/d', { seq: 2, metrics: many(1_001) })) ?? '',
      /more than 1000 metrics in one birth/,
    )
    assert.equal(asks(host.hear('DDATA', 'n/d', { seq: 3, metrics: [{ alias: 1, as: 'Int32', value: 1 }] })), false)
    host.assertCounted()
  })

  test('nodes, metrics, devices and nodes without a birth are remembered up to a bound', () => {
    const host = new Host()
    for (let index = 0; index < sparkplugNodesMax; index++) assert.equal(reasonOf(host.birth(`n${index}`)), undefined)
    assert.match(reasonOf(host.birth('one-more')) ?? '', /1000 edge nodes already/)
    for (let index = 0; index < 2 * sparkplugAskedMax; index++) host.hear('NDATA', `unborn${index}`, { seq: 3 })
    assert.equal((host.known.get('asked') as readonly string[]).length, sparkplugAskedMax)
    let seq = 1
    let reason: string | undefined
    for (let index = 0; reason === undefined && index < 200; index++) {
      reason = reasonOf(host.hear('DBIRTH', `n0/${'d'.repeat(100)}${index}`, { seq: seq++, metrics: [] }))
    }
    assert.match(reason ?? '', /too many devices/)
    for (const key of host.keys('node ')) assert.ok(JSON.stringify(host.known.get(key)).length < 16 * 1024)
    host.assertCounted()
    host.hear('NDEATH', 'n1', {})
    assert.equal(reasonOf(host.birth('one-more')), undefined, 'a death makes room')
  })

  test('metrics are remembered up to a bound for all nodes together', () => {
    const host = new Host()
    const birth = many(1_000)
    for (let index = 0; index < sparkplugMetricsMax / 1_000; index++) host.birth(`n${index}`, birth.slice(1))
    const refused = host.birth('one-more', birth.slice(1))
    assert.match(reasonOf(refused) ?? '', /50000 metrics already/)
    assert.ok(refused.ok && refused.readings.length === 999, 'what it says now is taken')
    host.assertCounted()
  })
})
