/** What the status of whole programs tells of their tables and certificates, put together from all rooms. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import type { TableSection } from '../../runtime/api/status.ts'
import { Authority } from '../rigs/certificates.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'
import { Publisher } from './publisher.ts'

async function tableOf(program: Program, table: string): Promise<TableSection> {
  const { store } = await program.status()
  return store.tables.find(({ name }) => name === table) ?? assert.fail(`no table ${table}`)
}

test('the status tells how long each log is and may be, how far summaries are, and what was dropped', async (t: TestContext) => {
  const site = new Site(t)
  const port = await freePort()
  const gateway = site.program('gw', {
    config: `
gateway: { id: gw }
${storeConfig}
clock: { trust: always }
broker: { listen: '127.0.0.1:${port}' }
tables: { readings: { kind: series, max_age: 30d }, thresholds: { kind: records, max_bytes: 2MB } }
bridges:
  - name: up
    url: mqtt://127.0.0.1:${await freePort()}
    publish: [{ table: readings, every: { period: 1h, keep: [avg] } }]
`,
  })
  await gateway.start()
  await new Publisher(port).publish(10)
  await eventually(async () => {
    const { summaries } = await tableOf(gateway, 'readings.every-1h.up')
    assert.deepEqual(summaries, { of: 'readings', behind: 0, open_periods: 1, undecided: 0, left_out: 0 })
  })
  const readings = await tableOf(gateway, 'readings')
  assert.ok((readings.log_bytes ?? 0) > 0)
  assert.deepEqual(
    [readings.max_bytes, readings.max_age_ms, readings.lost, readings.summaries],
    [null, 30 * 86_400_000, 0, undefined],
  )
  assert.equal((await tableOf(gateway, 'thresholds')).max_bytes, 2_000_000)
})

test('a hub tells that its own certificate is about to expire', async (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-status-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const authority = new Authority(folder)
  const { cert, key } = authority.sign('hub', { days: 4 })
  const hub = new Site(t).program('hub', {
    config: `
gateway: { id: hub }
${storeConfig}
hub: { listen: '127.0.0.1:${await freePort()}', tls: { cert: ${cert}, key: ${key}, ca: ${authority.cert} } }
`,
  })
  await hub.start()
  const [warning = '', ...more] = (await hub.status()).hub?.warnings ?? []
  assert.match(warning, /^our certificate expires in [34] days, on .*: put a new one in its place$/)
  assert.deepEqual(more, [])
})
