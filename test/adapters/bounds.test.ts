/** What one message may cost: as many readings as the limit says and no more, and hostile payloads are refused unread. */
import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { encode } from 'cbor-x'
import type { Decoded } from '../../adapters/adapter.ts'
import { openAdapter } from '../../adapters/open.ts'
import { readingsPerMessageMax } from '../../runtime/limits.ts'
import { message } from './message.ts'

const levels = new Map([['device', 'd']])
const decode = (name: string, options: unknown, payload: string | Uint8Array, about = message()): Decoded =>
  openAdapter(name, options).decode(Buffer.from(payload), levels, about)
const lines = (count: number, line: (index: number) => string): string =>
  Array.from({ length: count }, (_, index) => line(index)).join('\n')
const records = (count: number): object[] => Array.from({ length: count }, (_, v) => ({ bn: 'x:', n: 'y', v }))
const tooMany: Decoded = { ok: false, reason: 'more than 1000 readings in one message' }

describe('the readings of one message', () => {
  const messages: readonly [name: string, options: unknown, of: (count: number) => string | Uint8Array][] = [
    ['text', { parts: 'all' }, count => lines(count, index => `a=${index}`)],
    ['text', { parts: 'all' }, count => Array.from({ length: count }, (_, index) => `k${index}=1`).join(',')],
    ['influx-line', {}, count => lines(count, index => `m f=${index}`)],
    ['influx-line', {}, count => `m ${Array.from({ length: count }, (_, index) => `f${index}=1`).join(',')}`],
    ['senml', {}, count => JSON.stringify(records(count))],
    ['senml', {}, count => encode(records(count))],
    ['cbor', { each: '.', fields: { metric: '@key' } }, count => encode(Array.from({ length: count }, () => 1))],
    ['json', { values: 'all' }, count => JSON.stringify({ list: Array.from({ length: count }, () => 1) })],
  ]
  for (const [name, options, of] of messages) {
    it(`are at most ${readingsPerMessageMax}: ${name} ${JSON.stringify(options)}`, () => {
      const full = decode(name, options, of(readingsPerMessageMax))
      assert.equal(full.ok ? full.readings.length : full.reason, readingsPerMessageMax)
      assert.deepEqual(decode(name, options, of(readingsPerMessageMax + 1)), tooMany)
    })
  }
})

describe('hostile CBOR', () => {
  it('is refused before it is read: it may be large, deep, or ask for what costs much', () => {
    const refused = (bytes: Uint8Array): string => {
      const decoded = decode('cbor', {}, bytes)
      return decoded.ok ? 'taken' : decoded.reason
    }
    assert.match(refused(encode('x'.repeat(64 * 1024))), /more than 65536 bytes/)
    assert.match(refused(Buffer.alloc(60_000, 0x81)), /nested more than 32 deep/)
    assert.match(refused(Buffer.alloc(60_000, 0x9f)), /nested more than 32 deep/)
    assert.match(refused(Buffer.alloc(60_000, 0xc1)), /tag 1 stands before something else/)
    assert.match(
      refused(Buffer.concat([Buffer.of(0xc3, 0x59, 0xea, 0x60), Buffer.alloc(60_000, 0xff)])),
      /tag 3 is not taken/,
    )
    assert.match(refused(Buffer.from('9affffffff', 'hex')), /cut off/)
    assert.match(refused(Buffer.from('bbffffffffffffffff', 'hex')), /cut off/)
    for (const tag of [5, 6, 14, 15, 24, 25, 27, 28, 29, 51, 64, 87, 105, 256, 258, 259]) {
      const head = tag < 24 ? [0xc0 + tag] : tag < 256 ? [0xd8, tag] : [0xd9, tag >> 8, tag & 0xff]
      assert.match(refused(Buffer.of(...head, 0x81, 0x00)), new RegExp(`tag ${tag} is not taken`))
    }
  })
})

describe('times of SenML that count from the arrival', () => {
  const pack = '[{"bn":"x:","n":"y","v":1,"t":-60}]'

  it('are left out while nobody vouches for the clock', () => {
    const decoded = decode('senml', {}, pack, { ...message(), arrivalMs: undefined })
    assert.ok(decoded.ok)
    assert.equal(decoded.readings[0]?.deviceTimeMs, undefined)
  })

  it('are counted from it otherwise', () => {
    const decoded = decode('senml', {}, pack, { ...message(), arrivalMs: Date.UTC(2026, 0, 1) })
    assert.ok(decoded.ok)
    assert.equal(decoded.readings[0]?.deviceTimeMs, Date.UTC(2026, 0, 1) - 60_000)
  })
})
