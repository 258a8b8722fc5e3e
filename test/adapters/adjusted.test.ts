import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { adjusted, metricsOption } from '../../adapters/adjusted.ts'
import { openAdapter } from '../../adapters/open.ts'
import { message } from './message.ts'

function decode(payload: string, metrics: unknown) {
  const adapter = adjusted(openAdapter('json', { values: 'all' }), metricsOption.parse(metrics))
  return adapter.decode(Buffer.from(payload), new Map([['device', 'd']]), message())
}

describe('what a route knows of a metric', () => {
  it('names it, gives its unit, and turns raw numbers into what they measure', () => {
    const decoded = decode('{"t": 215, "rh": 3, "door": "open", "x": 1}', {
      t: { name: 'temperature', unit: '°C', scale: 0.1, offset: -40 },
      rh: { scale: 0.1 },
      door: { unit: 'state', scale: 5 },
    })
    assert.ok(decoded.ok)
    assert.deepEqual(
      decoded.readings.map(({ metric, value, unit }) => [metric, value, unit]),
      [
        ['temperature', -18.5, '°C'],
        ['rh', 0.3, undefined],
        ['door', 'open', 'state'],
        ['x', 1, undefined],
      ],
    )
  })

  it('refuses a message whose number is no longer one', () => {
    assert.deepEqual(decode('{"t": 1e308}', { t: { scale: 100 } }), { ok: false, reason: '"t" is too large' })
  })

  it('leaves the adapter as it is where it says nothing', () => {
    const adapter = openAdapter('json', {})
    assert.equal(adjusted(adapter, undefined), adapter)
  })

  it('is checked with the configuration', () => {
    const fault = (metrics: unknown): string => metricsOption.safeParse(metrics).error?.issues[0]?.message ?? 'nothing'
    assert.match(fault({ t: { scale: 0 } }), /may not be 0/)
    assert.match(fault({ t: { name: 'a/b' } }), /MQTT keeps for topics/)
    assert.match(fault({ t: { unit: 'x'.repeat(40) } }), /longer than 32 bytes/)
  })
})
