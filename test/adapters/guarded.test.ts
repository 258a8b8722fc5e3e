import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import * as fc from 'fast-check'
import { z } from 'zod'
import type { Adapter, Decoded } from '../../adapters/adapter.ts'
import { guardedKind } from '../../adapters/guarded.ts'
import { message } from './message.ts'
import { assertSound } from './sound.ts'

const good = { device: 'd', metric: 'm', value: 1 }

function openWith(decode: unknown): Adapter {
  const guarded = guardedKind({ name: 'acme', open: () => ({ decode }) }, './acme.js')
  assert.ok(guarded.ok, guarded.ok ? '' : guarded.reason)
  return guarded.kind.open({})
}

const levels = new Map([['device', 'd']])
const decodeWith = (decode: unknown): Decoded => openWith(decode).decode(Buffer.from('x'), levels, message())

function reasonOf(exported: unknown): string {
  const guarded = guardedKind(exported, './acme.js')
  return guarded.ok ? 'none' : guarded.reason
}

describe('an adapter that others wrote', () => {
  it('is taken as an object, or as a function that is given zod', () => {
    const kind = { name: 'acme', open: () => ({ decode: () => ({ ok: true, readings: [good] }) }) }
    for (const exported of [kind, () => kind]) {
      const guarded = guardedKind(exported, './acme.js')
      assert.ok(guarded.ok)
      assert.equal(guarded.kind.name, './acme.js')
      const adapter = guarded.kind.open({})
      assert.equal(adapter.name, 'acme')
      assert.deepEqual(adapter.decode(Buffer.from('x'), levels, message()), {
        ok: true,
        readings: [{ ...good, deviceTimeMs: undefined, id: undefined, unit: undefined }],
      })
    }
    const withOptions = guardedKind(
      (tools: { z: typeof z }) => ({
        name: 'acme',
        options: tools.z.strictObject({ factor: tools.z.number().default(2) }),
        open: () => ({ decode: () => undefined }),
      }),
      './acme.js',
    )
    assert.ok(withOptions.ok)
    assert.deepEqual(withOptions.kind.options.parse({}), { factor: 2 })
  })

  it('is refused with a sentence where it is none', () => {
    const open = (): object => ({ decode: () => undefined })
    assert.match(reasonOf(undefined), /no export called "adapter"/)
    assert.match(reasonOf(7), /no export called "adapter"/)
    assert.match(reasonOf({ open }), /"name" is not a text/)
    assert.match(reasonOf({ name: 'a/b', open }), /its name holds "\/"/)
    assert.match(reasonOf({ name: 'acme' }), /"open" is not a function/)
    assert.match(reasonOf({ name: 'acme', open, options: { factor: 2 } }), /not a z.object of zod 4/)
    assert.match(
      reasonOf({ name: 'acme', open, options: z.object({ topic: z.string() }) }),
      /"topic", which every route/,
    )
    assert.match(reasonOf({ name: 'acme', open, nameOptions: { device: 'sometimes' } }), /"nameOptions"/)
    assert.match(
      reasonOf(() => {
        throw new Error('no licence')
      }),
      /it fails: no licence/,
    )
  })

  it('rejects a message where it throws, whatever it throws', () => {
    for (const thrown of [new Error('bad byte\u0000'), 'text', undefined, Object.create(null)]) {
      const decoded = decodeWith(() => {
        throw thrown
      })
      assert.match(decoded.ok ? '' : decoded.reason, /^the adapter fails: /)
      assertSound(decoded)
    }
  })

  it('rejects a message where it gives nonsense, and says what', () => {
    const reason = (given: unknown): string => {
      const decoded = decodeWith(() => given)
      return decoded.ok ? 'none' : decoded.reason
    }
    const one = (reading: unknown): string => reason({ ok: true, readings: [reading] })
    assert.match(reason(undefined), /neither \{ ok: true, readings \} nor/)
    assert.match(reason(Promise.resolve({ ok: true, readings: [] })), /neither/)
    assert.match(reason({ ok: true }), /no list of readings/)
    assert.match(reason({ ok: true, readings: [] }), /no reading/)
    assert.match(reason({ ok: true, readings: Array.from({ length: 1_001 }, () => good) }), /more than 1000 readings/)
    assert.match(one(null), /reading 1 what is none/)
    assert.match(one({ device: 'd', value: 1 }), /without device and metric/)
    assert.match(one({ ...good, metric: 'a/b' }), /cannot be stored: the metric holds/)
    assert.match(one({ ...good, value: Number.NaN }), /whose value is not a finite number/)
    assert.match(one({ ...good, value: 1n }), /whose value is missing/)
    assert.match(one({ ...good, deviceTimeMs: 1.5 }), /deviceTimeMs is no time/)
    assert.match(one({ ...good, id: '' }), /whose id is none/)
    assert.match(one({ ...good, unit: 7 }), /whose unit is none/)
    assert.match(reason({ ok: false }), /without a reason/)
    assert.equal(reason({ ok: false, reason: 'too wet' }), 'too wet')
    assert.match(
      reason({ ok: true, readings: [good], more: { replies: [{ topic: 'a/#', payload: '', qos: 0 }] } }),
      /"replies"/,
    )
  })

  it('cannot change what is ours', () => {
    const payload = Buffer.from('payload')
    const decoded = openWith((bytes: Buffer, given: Map<string, string>) => {
      bytes.fill(0)
      given.set('device', 'another')
      return { ok: true, readings: [good], more: { remember: [{ key: 'k', value: { a: 1 } }] } }
    }).decode(payload, levels, message())
    assert.deepEqual([String(payload), levels.get('device')], ['payload', 'd'])
    assert.deepEqual(decoded.more, { remember: [{ key: 'k', value: { a: 1 } }] })
  })

  it('never throws and gives nothing unsound, whatever it returns', () => {
    const maybe = fc.anything({ withBigInt: true, withDate: true, withTypedArray: true, withNullPrototype: true })
    const reading = fc.record(
      { device: fc.oneof(fc.constant('d'), maybe), metric: fc.oneof(fc.constant('m'), maybe), value: maybe, id: maybe },
      { requiredKeys: [] },
    )
    const given = fc.oneof(
      maybe,
      fc.record(
        { ok: fc.boolean(), readings: fc.array(fc.oneof(reading, maybe)), reason: maybe, more: maybe },
        { requiredKeys: ['ok'] },
      ),
    )
    fc.assert(
      fc.property(given, answer => assertSound(decodeWith(() => answer))),
      { numRuns: 500 },
    )
  })
})
