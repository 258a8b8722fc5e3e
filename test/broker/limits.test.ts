/**
 * Every key of `broker.limits`: it holds, over real sockets; it is counted by cause, told in the log, in /metrics and in
 * docs/broker.md; and whoever keeps to it is served while somebody else does not.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { metrics } from '../../runtime/api/metric-list.ts'
import type { GatewayStatus } from '../../runtime/api/status.ts'
import { type LimitEntry, brokerLimitKeys } from '../../runtime/broker-limits.ts'
import { limitCases } from './limit-cases.ts'
import { openLimitRig } from './limit-rig.ts'

const timeout = 30_000
const entries = Object.entries(brokerLimitKeys) as [keyof typeof brokerLimitKeys, LimitEntry][]
const page = readFileSync('docs/broker.md', 'utf8')

for (const [key, { counters, fallback, sentence }] of entries) {
  const found = limitCases[key]

  test(`${key} has a sentence, a counter, a metric that begins at 0, and a row in docs/broker.md`, () => {
    assert.match(sentence, /^[A-Z].*\.$/)
    assert.ok(counters.length > 0)
    const told = (counts: Record<string, number>): number | null | undefined => {
      const metric = metrics.find(({ name }) => name === 'holdfast_mqtt_limits_met_total')
      assert.ok(metric?.kind === 'counter')
      const samples = metric.read({ broker: { counters: counts } } as unknown as GatewayStatus)
      return samples.find(([, labels]) => labels?.['limit'] === key)?.[0]
    }
    assert.equal(told({}), 0)
    for (const counter of counters) {
      assert.equal(told({ [counter]: 3 }), 3)
      const row = page.split('\n').find(line => line.startsWith('|') && line.includes(`\`${key}\` [${fallback}]`))
      assert.ok(row, `docs/broker.md has no row with \`${key}\` [${fallback}]`)
      assert.ok(row.includes(`\`${counter}\``), `the row of ${key} does not name ${counter}`)
    }
  })

  if ('test' in found) {
    test(`${key} is held by a test with a clock of its own`, () => {
      const source = readFileSync(`test/broker/${found.file}`, 'utf8')
      assert.ok(source.includes(`test('${found.test}`), `${found.file} has no test "${found.test}"`)
    })
    continue
  }

  test(`${key} is held, counted and told, and an honest client elsewhere is served`, { timeout }, async t => {
    const rig = await openLimitRig(t, found.limits, found.isQuiet === true)
    await rig.served()
    await found.meet(rig)
    await rig.served()
    assert.ok(
      counters.some(counter => rig.count(counter) > 0),
      `none of ${counters.join(', ')} was counted`,
    )
    assert.ok(
      counters.some(counter => rig.lines.includes(counter)),
      `none of ${counters.join(', ')} is in the log: ${rig.lines.join(', ')}`,
    )
    await rig.stop()
  })
}
