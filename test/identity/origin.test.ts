/** Whose database is this: a gateway keeps the id of its database, unless somebody names it another. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { loadConfig } from '../../runtime/config/load.ts'
import { openGateway } from '../../runtime/gateway.ts'
import { silentLog } from '../../runtime/log.ts'

test('a host that is renamed changes nothing; an id that somebody names is not mixed into the database of another', async t => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-origin-'))
  t.after(() => rmSync(folder, { recursive: true, force: true }))
  const open = async (hostName: string, named = ''): Promise<string> => {
    const text = `${named}\nstore: { ballast: 1MB }\nbroker: { listen: 127.0.0.1:0 }\n`
    const doors = { environment: {}, hostName, readSecret: () => assert.fail('there is no secret') }
    const loaded = loadConfig(join(folder, 'holdfast.yaml'), text, doors)
    assert.ok(loaded.ok)
    const gateway = await openGateway(loaded.config, { log: silentLog })
    const { origin } = gateway.store
    await gateway.store.commit([{ kind: 'put', table: 'thresholds', key: hostName, value: 1 }])
    const row = gateway.store.latest('thresholds', hostName)
    await gateway.close()
    assert.equal(row?.origin, origin)
    return origin
  }
  assert.equal(await open('raspberrypi'), 'raspberrypi')
  assert.equal(await open('cold-store-7'), 'raspberrypi')
  await assert.rejects(open('cold-store-7', 'gateway: { id: gw-7 }'), /this database is that of "raspberrypi"/)
  assert.equal(await open('raspberrypi', 'gateway: { id: raspberrypi }'), 'raspberrypi')
})
