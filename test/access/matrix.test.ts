/** The doorkeeper behind a real broker: each verb of each device on each topic, by MQTT. */
import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Doorkeeper } from '../../runtime/access/doorkeeper.ts'
import { hashPassword } from '../../runtime/access/password.ts'
import type { User } from '../../runtime/access/users-file.ts'
import { builtInRoles } from '../../runtime/config/access-schema.ts'
import { connectPacket, openClient, openRig, openSocket, publishPacket, type RawClient, until } from '../broker/rig.ts'

const timeout = 60_000
const devices = ['pump', 'meter', 'lamp']
const topics = devices.flatMap(device => [`sensors/${device}/t`, `sensors/${device}`, `commands/${device}/x`])
const strange = ['sensors', 'sensors/other/t', 'commands/x', 'holdfast/alerts', 'a', '$SYS/broker/uptime']
const filters = [
  ...topics,
  ...devices.map(device => `commands/${device}/#`),
  '#',
  '+/+/#',
  'commands/#',
  'commands/+/x',
  '$SYS/#',
  '$share/g/commands/pump/x',
]

test('3 devices, each topic, publish, subscribe and will: a device speaks for itself and hears its own', {
  timeout,
}, async t => {
  const password = await hashPassword(Buffer.from('secret'))
  const users = new Map(devices.map((name): [string, User] => [name, { name, roles: ['device'], password }]))
  const book = { count: users.size, get: (name: string) => users.get(name) }
  const door = new Doorkeeper(book, { roles: new Map(Object.entries(builtInRoles)), anonymous: undefined })
  const { port } = await openRig(
    t,
    { connectionsPerAddressMax: 1_000 },
    { authenticate: login => door.authenticate(login), standIn: (user, client) => door.standIn(user, client) },
  )
  const login = (username: string) => ({ username, password: Buffer.from('secret') })
  let count = 0
  const id = (): string => `c${(count += 1)}`
  const wrong: string[] = []
  const expect = (what: string, is: boolean, should: boolean): void => {
    if (is !== should) wrong.push(`${what}: ${is ? 'allowed' : 'denied'}`)
  }
  const isOwn = (device: string, topic: string): boolean =>
    topic === `sensors/${device}` || topic.startsWith(`sensors/${device}/`)
  for (const device of devices) {
    for (const topic of [...topics, ...strange]) {
      for (const [how, qos, retain] of [
        ['fast', 1, false],
        ['retained', 1, true],
      ] as const) {
        const client = await openClient(t, port, { clientId: id(), ...login(device) })
        client.send(publishPacket(topic, 'x', qos, 1, retain))
        await until(() => client.closed || client.count('puback') === 1)
        expect(`${device} publishes ${topic} (${how})`, client.count('puback') === 1, isOwn(device, topic))
        client.socket.destroy()
      }
      const client = await openSocket(t, port)
      const will = { topic, payload: Buffer.from('x'), qos: 0 as const, retain: false }
      client.send(connectPacket({ clientId: id(), ...login(device), will }))
      await until(() => client.closed || client.count('connack') === 1)
      const [connack] = client.received
      expect(`${device} wills ${topic}`, connack?.cmd === 'connack' && connack.returnCode === 0, isOwn(device, topic))
      client.socket.destroy()
    }
    const listener = await openClient(t, port, { clientId: id(), ...login(device) })
    listener.send({ cmd: 'subscribe', messageId: 1, subscriptions: filters.map(topic => ({ topic, qos: 1 })) })
    const suback = await listener.next('suback')
    for (const [index, filter] of filters.entries()) {
      const granted = suback.cmd === 'suback' && suback.granted[index] === 1
      const own = filter.startsWith(`commands/${device}/`)
      expect(`${device} subscribes to ${filter}`, granted, own)
    }
    listener.socket.destroy()
  }
  assert.deepEqual(wrong, [])
})

test('nobody comes in without a name, with a wrong password or as another', { timeout }, async t => {
  const password = await hashPassword(Buffer.from('secret'))
  const pump: User = { name: 'pump', roles: ['device'], password }
  const door = new Doorkeeper(
    { count: 1, get: name => (name === 'pump' ? pump : undefined) },
    { roles: new Map(Object.entries(builtInRoles)), anonymous: undefined },
  )
  const { port } = await openRig(t, {}, { authenticate: login => door.authenticate(login), standIn: () => undefined })
  const codes: unknown[] = []
  const open: RawClient[] = []
  for (const options of [
    {},
    { username: 'pump' },
    { username: 'pump', password: Buffer.from('wrong') },
    { username: 'meter', password: Buffer.from('secret') },
    { username: 'pump', password: Buffer.from('secret') },
  ]) {
    const client = await openSocket(t, port)
    client.send(connectPacket({ clientId: 'c', ...options }))
    const connack = await client.next('connack')
    codes.push(connack.cmd === 'connack' && connack.returnCode)
    open.push(client)
  }
  assert.deepEqual(codes, [5, 5, 5, 5, 0])
})
