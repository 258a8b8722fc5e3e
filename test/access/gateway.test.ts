/** A gateway from its first run on: its first user, changes while it runs, files that are not in order. */
import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test, type TestContext } from 'node:test'
import { connectAsync } from 'mqtt'
import { hashPassword } from '../../runtime/access/password.ts'
import { type User, writeUsers } from '../../runtime/access/users-file.ts'
import type { Config } from '../../runtime/config/config.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { type Gateway, openGateway } from '../../runtime/gateway.ts'
import { silentLog } from '../../runtime/log.ts'

const timeout = 60_000

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise(resolve => setTimeout(resolve, 10))
}

class Place {
  readonly folder = mkdtempSync(join(tmpdir(), 'holdfast-access-'))
  broker = '{ listen: "0.0.0.0:0" }'
  readonly users = join(this.folder, 'data', 'users')

  readonly config = (): Config => {
    const text = `store: { ballast: 1MB, commit_interval: 0ms }\nbroker: ${this.broker}\n`
    const doors = { environment: {}, hostName: 'gw', readSecret: () => assert.fail('there is no secret') }
    const loaded = loadConfig(join(this.folder, 'holdfast.yaml'), text, doors)
    assert.ok(loaded.ok, JSON.stringify(loaded))
    return loaded.config
  }

  async open(t: TestContext): Promise<Gateway> {
    const gateway = await openGateway(this.config(), { log: silentLog, reread: this.config })
    t.after(() => gateway.close())
    return gateway
  }

  write(...users: User[]): void {
    writeUsers(this.users, new Map(users.map(user => [user.name, user])))
  }
}

async function connect(gateway: Gateway, username?: string, password?: string) {
  const login = { ...(username === undefined ? {} : { username }), ...(password === undefined ? {} : { password }) }
  const url = `mqtt://127.0.0.1:${gateway.addresses.broker[0]?.port}`
  return await connectAsync(url, { ...login, reconnectPeriod: 0 }, false)
}

test('the broker listens where it should as soon as the address can be had', { timeout }, async t => {
  const place = new Place()
  t.after(() => rmSync(place.folder, { recursive: true, force: true }))
  // Another program has the port at one address of this machine, and so at "every address".
  const other = createServer()
  await new Promise<void>(resolve => other.listen({ host: '127.0.0.2', port: 0 }, resolve))
  t.after(() => other.close())
  const { port } = other.address() as AddressInfo
  place.broker = `{ listen: "0.0.0.0:${port}" }`
  const gateway = await place.open(t)
  assert.equal(gateway.addresses.broker[0]?.host, '127.0.0.1')
  place.write({ name: 'pump', roles: ['device'], password: await hashPassword(Buffer.from('right')) })
  await until(() => gateway.addresses.broker.length === 0)
  other.close()
  await until(() => gateway.addresses.broker[0]?.host === '0.0.0.0')
  await (await connect(gateway, 'pump', 'right')).endAsync()
})

test('the first run is for this machine alone; the first user opens the network, and is asked for', {
  timeout,
}, async t => {
  const place = new Place()
  t.after(() => rmSync(place.folder, { recursive: true, force: true }))
  const gateway = await place.open(t)
  const host = (): string | undefined => gateway.addresses.broker[0]?.host
  assert.equal(host(), '127.0.0.1')
  const first = await connect(gateway)
  await first.publishAsync('sensors/anything/t', '1', { qos: 1 })
  const gone = new Promise(resolve => first.once('close', () => resolve(undefined)))

  const password = await hashPassword(Buffer.from('secret'))
  place.write({ name: 'pump', roles: ['device'], password })
  assert.equal(gateway.reload(), true)
  await gone
  await until(() => host() === '0.0.0.0')
  await assert.rejects(connect(gateway), /Not authorized/)
  await assert.rejects(connect(gateway, 'pump', 'wrong'), /Not authorized/)
  const pump = await connect(gateway, 'pump', 'secret')
  await pump.publishAsync('sensors/pump/t', '2', { qos: 1 })
  const readings = [...gateway.store.series('readings')].map(({ device }) => device)
  assert.deepEqual(readings.toSorted(), ['anything', 'pump'])

  // By itself, without being told.
  const closed = new Promise(resolve => pump.once('close', () => resolve(undefined)))
  place.write()
  await closed
  await until(() => host() === '127.0.0.1')
  await (await connect(gateway)).endAsync()
})

test('roles are read again without a restart; a file or configuration that is not in order changes nothing', {
  timeout,
}, async t => {
  const place = new Place()
  t.after(() => rmSync(place.folder, { recursive: true, force: true }))
  place.write({ name: 'pump', roles: ['special'], password: await hashPassword(Buffer.from('secret')) })
  place.broker = '{ listen: "127.0.0.1:0", roles: { special: { publish: [a] } } }'
  const gateway = await place.open(t)
  const may = async (topic: string): Promise<boolean> => {
    const client = await connect(gateway, 'pump', 'secret')
    const isTaken = await Promise.race([
      client.publishAsync(topic, 'x', { qos: 1 }).then(
        () => true,
        () => false,
      ),
      new Promise<boolean>(resolve => client.once('close', () => resolve(false))),
    ])
    client.end(true)
    return isTaken
  }
  assert.deepEqual([await may('a'), await may('b')], [true, false])
  place.broker = '{ listen: "127.0.0.1:0", roles: { special: { publish: [b] } } }'
  assert.equal(gateway.reload(), true)
  assert.deepEqual([await may('a'), await may('b')], [false, true])

  chmodSync(place.users, 0o644)
  assert.equal(gateway.reload(), false)
  assert.equal(await may('b'), true)
  rmSync(place.users)
  assert.equal(gateway.reload(), false, 'a file that has gone is no first run')
  assert.equal(await may('b'), true)
  place.write({ name: 'other', roles: ['special'], password: undefined })
  assert.equal(gateway.reload(), true)
  await assert.rejects(may('b'), /Not authorized/)
})

test('a gateway does not start with a users file that others may read', { timeout }, async t => {
  const place = new Place()
  t.after(() => rmSync(place.folder, { recursive: true, force: true }))
  place.write({ name: 'pump', roles: ['device'], password: undefined })
  chmodSync(place.users, 0o644)
  await assert.rejects(place.open(t), { code: 'USERS_FILE', hint: `chmod 600 ${place.users}` })
  chmodSync(place.users, 0o600)
  writeFileSync(place.users, 'pump device nonsense\n')
  await assert.rejects(place.open(t), /line 1: its password is no hash/)
})
