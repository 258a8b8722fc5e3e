/**
 * Every verb against every role over plain MQTT, TLS and WebSocket, at a gateway of its own process. What should come of
 * each is worked out here from what docs/access.md says, by trying every topic of a small world: nothing of the gateway's
 * own judgement is asked, so that a hole in any cell is a difference.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import { hashPassword } from '../../runtime/access/password.ts'
import { type User, writeUsers } from '../../runtime/access/users-file.ts'
import { Authority } from '../rigs/certificates.ts'
import { Caller, type Way } from './clients/caller.ts'
import { eventually, freePort, Site, storeConfig } from './programs.ts'

type Role = { readonly publish: string[]; readonly subscribe: string[]; readonly devices: RegExp | undefined }
type Person = {
  readonly about: string
  readonly user?: string
  readonly password?: string
  readonly certificate?: 'boiler'
  /** What it may do, with its name in it; undefined: it may not come in. */
  readonly role: Role | undefined
}

const any = undefined
const deviceRole = (user: string): Role => ({
  publish: [`sensors/${user}/#`],
  subscribe: [`commands/${user}/#`],
  devices: new RegExp(`^${user}$`),
})
const readerRole: Role = { publish: [], subscribe: ['#'], devices: any }
const adminRole: Role = { publish: ['#'], subscribe: ['#', '$SYS/#'], devices: any }
const ownRole: Role = {
  publish: ['homes/hub/+', 'tele/#', 'presence/+', 'told/#'],
  subscribe: ['homes/#', 'sensors/+/t', 'commands/hub/x'],
  devices: /^hub(-.*)?$/,
}
const guestRole: Role = { publish: ['homes/guests'], subscribe: ['sensors/+/t'], devices: any }
const written = `
    own: { publish: ['homes/{user}/+', tele/#, presence/+, told/#], subscribe: [homes/#, sensors/+/t, 'commands/{user}/x'], devices: ['{user}', '{user}-*'] }
    guest: { publish: [homes/guests], subscribe: [sensors/+/t] }`

const device: Person = { about: 'a device', user: 'pump', password: 'right', role: deviceRole('pump') }
const admin: Person = { about: 'an admin', user: 'root', password: 'right', role: adminRole }
const mover = { about: 'one whose role changes', user: 'mover', password: 'right' }
const leaver = { about: 'one who is removed', user: 'leaver', password: 'right' }
const boiler = { user: 'boiler', role: undefined }
const before: readonly Person[] = [
  { about: 'nobody', role: undefined },
  { about: 'a wrong password', user: 'pump', password: 'wrong', role: undefined },
  { about: 'the name of a certificate without it', ...boiler },
  device,
  admin,
  { about: 'a reader', user: 'panel', password: 'right', role: readerRole },
  { about: 'a role of the configuration', user: 'hub', password: 'right', role: ownRole },
  { about: 'a certificate', certificate: 'boiler', role: deviceRole('boiler') },
  { ...mover, role: deviceRole('mover') },
  { ...leaver, role: deviceRole('leaver') },
]
const afterwards: readonly Person[] = [
  { about: 'the anonymous role', role: guestRole },
  { ...mover, about: 'one whose role has changed', role: readerRole },
  { ...leaver, about: 'one who was removed', role: undefined },
]

const topics = [
  'sensors/pump/t',
  'sensors/mover',
  'commands/pump/x',
  'homes/hub/t',
  'homes/guests',
  'other',
  'sensors/boiler/t',
]
const own = ['holdfast/alerts/x', '$SYS/broker/uptime']
const filters = [
  ...topics,
  '#',
  '+',
  '+/#',
  '+/+/t',
  'sensors/#',
  'sensors/+/t',
  'sensors/+/+',
  'sensors/pump/#',
  'commands/pump/#',
  'commands/pump/+',
  'homes/#',
  'homes/+/t',
  'commands/hub/x',
  '$SYS/#',
  '$SYS/broker/+',
  '$share/g/sensors/pump/t',
  '$share/g/#',
  '$other/#',
]

/** Every topic of up to three levels of these words: one that no pattern names stands for all others. */
const words = [
  'sensors',
  'commands',
  'homes',
  'pump',
  'mover',
  'boiler',
  'hub',
  'guests',
  't',
  'x',
  'unnamed',
  'other',
  '$SYS',
  'broker',
  '$other',
  '',
]
const world = words.flatMap(a => [a, ...words.flatMap(b => [`${a}/${b}`, ...words.map(c => `${a}/${b}/${c}`)])])

function fits(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && /^[+#]/.test(filter)) return false
  const escaped = filter.replaceAll('$', '\\$').replaceAll('+', '[^/]*')
  return remembered(`^${escaped === '#' ? '.*' : escaped.replace(/\/#$/, '(/.*)?')}$`).test(topic)
}
const expressions = new Map<string, RegExp>()
function remembered(text: string): RegExp {
  const expression = expressions.get(text) ?? new RegExp(text)
  expressions.set(text, expression)
  return expression
}
const mayPublish = ({ publish }: Role, topic: string): boolean =>
  !/^(holdfast(\/|$)|\$)/.test(topic) && publish.some(pattern => fits(pattern, topic))
const mayHear = ({ subscribe }: Role, topic: string): boolean => subscribe.some(pattern => fits(pattern, topic))
const maySubscribe = (role: Role, filter: string): boolean => {
  const matched = world.filter(topic => fits(filter, topic))
  return !filter.startsWith('$share/') && matched.length > 0 && matched.every(topic => mayHear(role, topic))
}

test('every verb against every role, over plain MQTT, TLS and WebSocket', { timeout: 180_000 }, async t => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-matrix-'))
  t.after(() => rmSync(folder, { recursive: true }))
  const authority = new Authority(folder)
  const [server, client] = [authority.sign('gateway'), authority.sign('boiler')]
  const ca = readFileSync(authority.cert)
  const shown = { cert: readFileSync(client.cert), key: readFileSync(client.key) }
  const ways: Way[] = []
  for (const kind of ['mqtt', 'mqtts', 'ws'] as const) ways.push({ kind, port: await freePort(), ca })
  const listen = ways.map(({ kind, port }) => `'${kind}://127.0.0.1:${port}'`).join(', ')
  const config = (more: string): string => `
gateway: { id: gw }
${storeConfig}
broker:
  listen: [${listen}]
  tls: { cert: ${server.cert}, key: ${server.key}, ca: ${authority.cert}, client_certificates: optional }
  limits: { connections_per_address: 500, connect_rate: 10000, connect_rate_per_address: 10000, failed_logins: 10000 }
  ${more}
  roles:${written}
routes:
  - { topic: told/+, fields: { device: who, metric: what } }
  - { topic: 'presence/{device}', adapter: presence }
  - { topic: tele/#, adapter: tasmota }
  - { topic: 'sensors/{device}/{metric}' }
`
  const gateway = new Site(t).program('gateway', { config: config('') })
  const password = await hashPassword(Buffer.from('right'))
  const user = (name: string, ...roles: string[]): [string, User] => [name, { name, roles, password }]
  const users = new Map<string, User>([
    user('pump', 'device'),
    user('root', 'admin'),
    user('panel', 'reader'),
    user('hub', 'own'),
    user('mover', 'device'),
    user('leaver', 'device'),
    ['boiler', { name: 'boiler', roles: ['device'], password: undefined }],
  ])
  mkdirSync(join(gateway.folder, 'data'), { recursive: true })
  writeUsers(join(gateway.folder, 'data', 'users'), users)
  await gateway.start()

  const wrong: string[] = []
  const expect = (cell: string, is: boolean, should: boolean): void => {
    if (is !== should) wrong.push(`${cell}: ${is ? 'allowed' : 'denied'}`)
  }
  let count = 0
  const callers: Caller[] = []
  t.after(() => callers.forEach(caller => caller.cut()))
  const come = async (person: Person, way: Way, more: object = {}): Promise<Caller> => {
    const { user: username, password: given } = person
    const login = {
      ...(username === undefined ? {} : { username }),
      ...(given === undefined ? {} : { password: Buffer.from(given) }),
    }
    const shows = person.certificate === undefined ? way : { ...way, shown }
    const caller = await Caller.open(shows, { clientId: `caller-${(count += 1)}`, ...login, ...more })
    callers.push(caller)
    return caller
  }
  const plain = ways[0] as Way
  const watcher = await come(admin, plain)
  assert.deepEqual(await watcher.subscribe(['#', '$SYS/#']), [true, true])
  let victim = await come(device, plain, { clientId: 'victim' })
  /** Payloads that must have been heard, by what they are of. */
  const marks = new Map<string, boolean>()
  const mark = (cell: string, should: boolean): string => {
    marks.set(cell, should)
    return cell
  }

  async function ask(person: Person, way: Way): Promise<void> {
    const cell = `${person.about} over ${way.kind}`
    // A certificate is shown over TLS alone.
    const role = person.certificate !== undefined && way.kind !== 'mqtts' ? undefined : person.role
    const first = await come(person, way)
    expect(`${cell} connects`, first.isIn, role !== undefined)
    if (role === undefined) {
      const will = {
        topic: 'other',
        payload: Buffer.from(mark(`${cell} wills`, false)),
        qos: 0 as const,
        retain: false,
      }
      const second = await come(person, way, { will })
      expect(`${cell} connects with a will`, second.isIn, false)
      second.cut()
      return
    }
    let speaker = first
    for (const topic of [...topics, ...own]) {
      const should = mayPublish(role, topic)
      for (const [how, qos, retain] of [
        ['QoS 0', 0, false],
        ['QoS 1', 1, false],
        ['QoS 2', 2, false],
        ['retained', 1, true],
      ] as const) {
        const what = `${cell} publishes ${topic} ${how}`
        expect(what, await speaker.publish(topic, mark(what, should), qos, retain), should)
        if (!speaker.isIn) speaker = await come(person, way)
      }
      const what = `${cell} wills ${topic}`
      const will = { topic, payload: Buffer.from(mark(what, should)), qos: 1 as const, retain: false }
      const doomed = await come(person, way, { will })
      expect(what, doomed.isIn, should)
      doomed.cut()
    }
    const granted = await speaker.subscribe(filters)
    const taken = filters.filter((filter, i) => {
      const should = maySubscribe(role, filter)
      expect(`${cell} subscribes to ${filter}`, granted[i] === true, should)
      return should
    })
    const teller = await come(admin, plain)
    for (const topic of topics) await teller.publish(topic, `forward ${cell}`, 1)
    const should = topics.filter(topic => taken.some(filter => fits(filter, topic)))
    const got = (): string[] =>
      speaker.heard.filter(({ payload }) => payload === `forward ${cell}`).map(({ topic }) => topic)
    await eventually(() => assert.ok(new Set(got()).size >= should.length || speaker.isClosed, cell), 20_000)
    await speaker.ping()
    assert.deepEqual([...new Set(got())].toSorted(), should.toSorted(), `${cell} hears`)
    const thief = await come(person, way, { clientId: 'victim' })
    if (person !== device) expect(`${cell} takes the client id of another`, thief.isIn, false)
    for (const caller of [thief, teller, speaker]) caller.cut()
  }

  // What leaves no trace in others is asked at once.
  for (const person of before) if (person !== device) await Promise.all(ways.map(way => ask(person, way)))
  assert.equal(await victim.ping(), true, 'it is still there')
  for (const way of ways) await ask(device, way)
  victim = await come(device, plain, { clientId: 'victim' })

  const [moving, leaving] = await Promise.all([
    come({ ...mover, role: any }, plain),
    come({ ...leaver, role: any }, plain),
  ])
  gateway.write({ config: config('anonymous: guest') })
  users.set(...user('mover', 'reader'))
  users.delete('leaver')
  writeUsers(join(gateway.folder, 'data', 'users'), users)
  process.kill(gateway.pid, 'SIGHUP')
  await Promise.all([moving.closed(), leaving.closed()])
  for (const person of afterwards) await Promise.all(ways.map(way => ask(person, way)))

  assert.equal(await victim.ping(), true, 'it is still there')
  assert.deepEqual(wrong, [])
  const must = [...marks].filter(([, should]) => should).map(([cell]) => cell)
  const said = (): Set<string> => new Set(watcher.heard.map(({ payload }) => payload))
  await eventually(
    () =>
      assert.deepEqual(
        must.filter(cell => !said().has(cell)),
        [],
      ),
    20_000,
  )
  for (const [cell, should] of marks) if (!should) expect(`${cell}, and is heard`, said().has(cell), false)
  assert.deepEqual(wrong, [])
  assert.ok(marks.size > 1_000, `${marks.size} cells`)

  // It may publish there, but neither a reading nor the presence of another device, and no will of it.
  const hub = before.find(({ user }) => user === 'hub') as Person
  for (const way of ways) {
    const speaker = await come(hub, way)
    for (const who of ['hub', 'hub-2', 'pump', 'unheard']) {
      await speaker.publish('told/now', JSON.stringify({ who, what: `by-${way.kind}`, value: 1 }), 1)
      await speaker.publish(`presence/${who}`, 'offline', 1)
      await speaker.publish(`tele/${who}/LWT`, 'Offline', 1)
      const will = { topic: `presence/${who}`, payload: Buffer.from('online'), qos: 1 as const, retain: true }
      const doomed = await come(hub, way, { will })
      assert.ok(doomed.isIn)
      doomed.cut()
    }
    speaker.cut()
  }
  await eventually(async () => {
    const rejects = (await gateway.readings('rejects')).map(({ value }) => value as Record<string, string>)
    const refused = rejects.filter(({ reason = '' }) => reason.startsWith('may not speak for'))
    // Two strangers, four ways to speak for each, three transports.
    assert.equal(refused.length, 24)
    assert.deepEqual([...new Set(refused.map(({ client }) => client?.slice(0, 6)))], ['caller'])
  }, 20_000)
  const spoken = (await gateway.readings())
    .filter(({ metric }) => metric.startsWith('by-'))
    .map(({ device: name }) => name)
  assert.deepEqual([...new Set(spoken)].toSorted(), ['hub', 'hub-2'])
  const { devices } = await gateway.client.get<{ devices: { device: string; state: string; why: string | null }[] }>(
    '/devices',
  )
  const told = devices.filter(({ why }) => why === 'presence').map(({ device: name }) => name)
  assert.deepEqual(told.toSorted(), ['hub', 'hub-2'])
})
