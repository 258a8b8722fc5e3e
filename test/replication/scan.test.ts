import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import fc from 'fast-check'
import { decodeMessage, encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { cborDepthMax, messageBytesMax } from '../../runtime/replication/limits.ts'
import { scanCbor } from '../../runtime/replication/wire/scan.ts'

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex')
const json = fc.jsonValue({ maxDepth: 8 }).map(value => JSON.parse(JSON.stringify(value)) as object)

describe('the scan before the CBOR decoder', () => {
  it('lets through whatever our encoder writes, and it comes out as it went in', () => {
    fc.assert(
      fc.property(json, value => {
        const bytes = encodeMessage({ v: 1, value })
        assert.equal(scanCbor(bytes), undefined)
        const decoded = decodeMessage(bytes, fields => fields['value'])
        assert.ok(decoded.ok)
        // cbor-x has no negative zero, and guards against a key named __proto__.
        const plain = JSON.stringify(value).replaceAll('"__proto__":', '"__proto_":')
        assert.equal(JSON.stringify(decoded.value), plain)
      }),
    )
  })

  const deep = (depth: number): Buffer => Buffer.from([...Array<number>(depth).fill(0x81), 0x00])
  const hostile: readonly [string, Buffer, string][] = [
    ['a bignum', hex('c2 48 ffffffffffffffff'), 'cbor-tag'],
    ['a shared reference', hex('d8 1c 81 d8 1d 00'), 'cbor-tag'],
    ['an object of a JavaScript class', hex('d8 1b 82 65 4572726f72 61 78'), 'cbor-tag'],
    ['a byte string', hex('43 010203'), 'cbor-bytes'],
    ['an array without an end', hex('9f 01 ff'), 'cbor-indefinite'],
    ['a text without an end', hex('7f 61 61 ff'), 'cbor-indefinite'],
    ['a break outside of anything', hex('ff'), 'cbor-indefinite'],
    ['an array of four thousand million', hex('9a ffffffff'), 'cbor-truncated'],
    ['a text longer than the message', hex('7b 0000000fffffffff 61'), 'cbor-truncated'],
    ['an array longer than numbers go', hex('9b ffffffffffffffff'), 'cbor-number'],
    ['a map that promises more than it holds', hex('a2 61 61 01'), 'cbor-truncated'],
    ['an empty message', hex(''), 'cbor-truncated'],
    ['a number cut short', hex('1a 0000'), 'cbor-truncated'],
    ['two items', hex('01 02'), 'cbor-trailing'],
    ['an integer that a double cannot hold', hex('1b 0020000000000000'), 'cbor-number'],
    ['a float that is not a number', hex('fb 7ff8000000000000'), 'cbor-number'],
    ['an infinite half float', hex('f9 7c00'), 'cbor-number'],
    ['an infinite single float', hex('fa ff800000'), 'cbor-number'],
    ['an unassigned simple value', hex('f8 20'), 'cbor-simple'],
    ['a reserved length', hex('1c'), 'cbor-simple'],
    ['a map with a number for a key', hex('a1 01 02'), 'cbor-key'],
    ['a map with a map for a key', hex('a1 a0 02'), 'cbor-key'],
    ['arrays nested too deeply', deep(cborDepthMax + 1), 'cbor-depth'],
    ['a hundred thousand nested arrays', deep(100_000), 'cbor-depth'],
  ]
  for (const [what, bytes, name] of hostile) {
    it(`refuses ${what} as ${name}`, () => assert.equal(scanCbor(bytes), name))
  }

  it('takes nesting up to its bound', () => assert.equal(scanCbor(deep(cborDepthMax)), undefined))

  it('refuses more items than any frame has', () => {
    const bytes = Buffer.alloc(300_005, 0x00)
    bytes.set(hex('9a 000493e0'))
    assert.equal(scanCbor(bytes), 'cbor-items')
  })

  it('never throws, whatever the bytes, and what it lets through the decoder can read', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), bytes => {
        const decoded = decodeMessage(bytes, fields => fields)
        if (scanCbor(bytes) !== undefined) assert.equal(decoded.ok, false)
        else if (!decoded.ok) assert.notEqual(decoded.refused, 'undecodable')
      }),
      { numRuns: 3_000 },
    )
  })

  it('never throws when bytes of a good message are flipped, cut or doubled', () => {
    const good = encodeMessage({ v: 1, session: 'abc', rows: [[1, 2, 'x', { y: [1.5, null, true] }]], run: 70_000 })
    fc.assert(
      fc.property(fc.nat(good.length - 1), fc.nat(255), fc.nat(good.length), (at, byte, length) => {
        const bent = Buffer.from(good)
        bent[at] = byte
        decodeMessage(bent.subarray(0, length), fields => fields)
        decodeMessage(Buffer.concat([bent, good]), fields => fields)
      }),
      { numRuns: 2_000 },
    )
  })

  it('refuses a message beyond the size limit unread, and one of another version by that name', () => {
    const large = decodeMessage(Buffer.alloc(messageBytesMax + 1), fields => fields)
    assert.ok(!large.ok && large.refused === 'too-large')
    const newer = decodeMessage(encodeMessage({ v: 2 }), fields => fields)
    assert.ok(!newer.ok && newer.refused === 'version' && newer.detail === '2')
    const list = decodeMessage(encodeMessage([1]), fields => fields)
    assert.ok(!list.ok && list.refused === 'shape')
  })
})
