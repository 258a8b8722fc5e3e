/** Who is here: by readings, by wills and by silence, over a restart, with mosquitto's clients as devices. */
import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import type { DeviceForm, DevicesListed } from '../../runtime/api/devices.ts'
import { missing } from '../rigs/mosquitto.ts'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

const skip = missing('mosquitto_sub', 'mosquitto-clients')
const [, ofThePage = ''] = /^```yaml\n(.*?)^```/ms.exec(readFileSync('docs/devices.md', 'utf8')) ?? []

test('a device is online while it is connected or sends, and offline when its will says so', {
  skip,
  timeout: 120_000,
}, async t => {
  const site = new Site()
  t.after(() => site.remove())
  const port = await freePort()
  const config = `gateway: { id: gw }\nclock: { trust: always }\n${storeConfig}\nbroker: { listen: '127.0.0.1:${port}' }\n${ofThePage}`
  const gateway = site.program('gateway', { config })
  await gateway.start()
  const listed = async (): Promise<readonly DeviceForm[]> =>
    (await gateway.client.get<DevicesListed>('/devices')).devices
  const states = async () => (await listed()).map(({ device, state, why }) => [device, state, why])
  const never = [
    ['freezer-1', 'never', null],
    ['pump-2', 'never', null],
  ]
  assert.deepEqual(await states(), never)

  const will = ['--will-topic', 'status/valve-1', '--will-payload', 'offline']
  const valve = spawn('mosquitto_sub', ['-p', String(port), '-t', 'commands/valve-1', ...will], { stdio: 'ignore' })
  t.after(() => valve.kill('SIGKILL'))
  await publish(port, '-t', 'status/valve-1', '-m', 'online', '-r')
  await publish(port, '-t', 'sensors/pump-2/flow', '-m', '3.5')
  await eventually(async () =>
    assert.deepEqual(await states(), [
      ['freezer-1', 'never', null],
      ['pump-2', 'online', 'reading'],
      ['valve-1', 'online', 'presence'],
    ]),
  )
  valve.kill('SIGKILL')
  await eventually(async () => assert.deepEqual((await states())[2], ['valve-1', 'offline', 'presence']))
  const before = await listed()
  await gateway.stop()
  await gateway.start()
  assert.deepEqual(
    (await listed()).map(({ device, state, first_seen_ms }) => [device, state, first_seen_ms]),
    before.map(({ device, state, first_seen_ms }) => [device, state, first_seen_ms]),
  )
})

async function publish(port: number, ...args: string[]): Promise<void> {
  const [code] = (await once(spawn('mosquitto_pub', ['-p', String(port), '-q', '1', ...args]), 'exit')) as [number]
  assert.equal(code, 0)
}
