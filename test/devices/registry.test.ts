import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import { Registry, devicesMax } from '../../runtime/devices/registry.ts'

const one = new Map([['a', 'json']])
const here = (registry: Registry, device = 'a') => registry.all.get(device)?.isOnline

describe('a device', () => {
  test('is online from its first reading on, and offline when it has been silent for so long', () => {
    const registry = new Registry(() => 100)
    registry.saw(one, 10)
    assert.deepEqual(registry.takeChanged(), ['a'])
    registry.tick(109)
    assert.equal(here(registry), true)
    registry.tick(110)
    assert.deepEqual([here(registry), registry.all.get('a')?.why], [false, 'silence'])
    assert.deepEqual(registry.all.get('a')?.last, { monotonicMs: 10 })
    registry.saw(one, 120)
    assert.deepEqual([here(registry), registry.all.get('a')?.since], [true, { monotonicMs: 120 }])
    assert.deepEqual(registry.all.get('a')?.first, { monotonicMs: 10 })
  })

  test('is offline at once when it or its will says so, and that is not when it was last seen', () => {
    const registry = new Registry(() => 100)
    registry.saw(one, 10)
    registry.told([{ device: 'a', isOnline: false }], 'tasmota', 50)
    assert.deepEqual(registry.all.get('a')?.last, { monotonicMs: 10 })
    assert.deepEqual([here(registry), registry.all.get('a')?.why], [false, 'presence'])
    registry.told([{ device: 'a', isOnline: true }], 'tasmota', 60)
    assert.equal(here(registry), true)
  })

  test('that was online when the gateway ended is given the time to be heard', () => {
    const registry = new Registry(() => 100)
    const wall = { wallMs: 5 }
    registry.restore(
      'a',
      { first: wall, last: wall, since: wall, adapter: 'json', isOnline: true, why: 'reading' },
      1000,
    )
    registry.tick(1099)
    assert.equal(here(registry), true)
    registry.tick(1100)
    assert.equal(here(registry), false)
    assert.deepEqual(registry.all.get('a')?.first, wall)
  })

  test('beyond the last for which there is room is counted and not listed', () => {
    const registry = new Registry(() => 100)
    registry.saw(new Map(Array.from({ length: devicesMax + 2 }, (_, n) => [`d${n}`, 'json'])), 1)
    assert.deepEqual([registry.all.size, registry.leftOut], [devicesMax, 2])
  })

  test('whatever is heard, is online exactly if its last word was one of life, and not too long ago', () => {
    const word = fc.record({
      kind: fc.constantFrom('reading', 'on', 'off', 'tick'),
      afterMs: fc.integer({ min: 0, max: 90 }),
    })
    fc.assert(
      fc.property(fc.array(word, { maxLength: 30 }), words => {
        const registry = new Registry(() => 100)
        let nowMs = 0
        let heard: { readonly isOnline: boolean; readonly ms: number } | undefined
        for (const { kind, afterMs } of words) {
          nowMs += afterMs
          if (kind === 'reading') registry.saw(one, nowMs)
          else if (kind !== 'tick') registry.told([{ device: 'a', isOnline: kind === 'on' }], 'json', nowMs)
          if (kind !== 'tick') heard = { isOnline: kind !== 'off', ms: nowMs }
          registry.tick(nowMs)
        }
        assert.equal(here(registry), heard && heard.isOnline && nowMs - heard.ms < 100)
      }),
      { numRuns: 200 },
    )
  })
})
