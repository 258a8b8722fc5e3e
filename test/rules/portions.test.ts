/** Moments that are made up for in several goes: the same as in one, also where it was cut off between two of them. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseRules } from '../../rules/language/file.ts'
import { Gateway, startMs, told } from './judging.ts'

const parsed = parseRules([
  {
    file: 'test.yaml',
    text: `
groups:
  - name: g
    rules:
      - { record: mean, match: { metric: temperature }, expr: "avg(2h)", interval: 1m }
      - { record: age, match: { metric: temperature }, expr: "age()", interval: 5m }
      - { alert: Old, match: { metric: temperature }, expr: "age() > 600.0", for: 90s }
`,
  },
])
assert.ok(parsed.ok)
const { rules } = parsed
const [hourS, minuteS] = [3600, 60]

function fed(): Gateway {
  const gateway = new Gateway(rules)
  for (const device of ['a', 'b', 'c']) gateway.send(device, 'temperature', 1, 10)
  gateway.commit()
  return gateway
}

test('a long sleep is made up for in portions, and comes out as in one go', () => {
  const whole = fed()
  whole.advance(hourS)
  whole.commit()
  assert.equal(whole.recorded.length, 3 * 60 + 3 * 12)
  assert.equal(told(whole.said).length, 3)

  for (const isCut of [false, true]) {
    const gateway = fed()
    let goes = 0
    for (let isDone = false; !isDone && goes < hourS; goes++) {
      const before = gateway.recorded.length
      gateway.advance(hourS, 4)
      isDone = (gateway.judge.nextDueMs() ?? Number.POSITIVE_INFINITY) > startMs + hourS * 1000
      gateway.commit()
      assert.ok(gateway.recorded.length - before <= 3 * 2 + 4, 'a moment is judged whole, and hardly more at once')
      if (isCut) gateway.crash(hourS)
    }
    assert.ok(goes >= hourS / minuteS / 2)
    assert.deepEqual(told(gateway.said), told(whole.said))
    const names = (recorded: Gateway['recorded']) =>
      recorded.map(({ metric, device, atMs, value }) => [metric, device, atMs, value])
    assert.deepEqual(names(gateway.recorded), names(whole.recorded))
  }
})
