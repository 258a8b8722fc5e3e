import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import fc from 'fast-check'
import { type MqttClient, connectAsync } from 'mqtt'
import { gatewayMay } from '../../runtime/cloud/access.ts'
import { type Log, silentLog } from '../../runtime/log.ts'
import { Bridge } from '../../runtime/replication/bridge.ts'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import { decodeDownHello, decodePosition, decodeRefused } from '../../runtime/replication/wire/messages.ts'
import { systemTime } from '../../runtime/replication/time.ts'
import { Cloud, Edge, append, doors, put, sleep, until, values } from './rig.ts'

/** A client that speaks for a gateway, or pretends to: it says what it likes. */
class Stranger {
  readonly client: MqttClient
  readonly heard: { topic: string; payload: Buffer }[] = []
  isClosed = false

  static async connect(cloud: Cloud, user: string): Promise<Stranger> {
    const client = await connectAsync(`mqtt://127.0.0.1:${cloud.port}`, { username: user, reconnectPeriod: 0 })
    const stranger = new Stranger(client)
    await client.subscribeAsync(`holdfast/v1/${user}/down/#`, { qos: 1 })
    return stranger
  }

  private constructor(client: MqttClient) {
    this.client = client
    client.on('message', (topic, payload) => this.heard.push({ topic, payload }))
    client.on('close', () => {
      this.isClosed = true
    })
  }

  say(topic: string, message: object | Buffer): void {
    const payload = Buffer.isBuffer(message) ? message : encodeMessage(message)
    this.client.publish(topic, payload, { qos: 1 }, () => undefined)
  }

  async hears(ending: string): Promise<Buffer> {
    await until(`a message on ${ending}`, () => this.heard.some(({ topic }) => topic.endsWith(ending)))
    const index = this.heard.findIndex(({ topic }) => topic.endsWith(ending))
    return this.heard.splice(index, 1)[0]?.payload ?? Buffer.alloc(0)
  }
}

const hello = (gateway: string, session = 's1') => ({
  v: 1,
  session,
  gateway,
  epoch: 'e1',
  wallMs: 1,
  publish: [{ table: 'readings', kind: 'series', epoch: 'e1' }],
  subscribe: [{ table: 'thresholds', kind: 'records' }],
})

const frame = (session: string, after: number, value: number) => ({
  v: 1,
  session,
  run: 1,
  after,
  last: after + 1,
  head: after + 1,
  part: [0, 1],
  gaps: [],
  origins: ['gw-9'],
  series: [[0, 'd', 'm', null]],
  readings: [[1, 0, 5_000, 0, 1_790_000_000_000, value, null, null]],
})

describe('the hub', () => {
  let cloud: Cloud
  const strangers: Stranger[] = []
  const edges: Edge[] = []
  const openEdge = async (id = 'gw-1'): Promise<Edge> => {
    const edge = await Edge.open(cloud, id)
    edges.push(edge)
    return edge
  }
  const stranger = async (user: string): Promise<Stranger> => {
    const one = await Stranger.connect(cloud, user)
    strangers.push(one)
    return one
  }
  beforeEach(async () => {
    cloud = await Cloud.open()
  })
  afterEach(async () => {
    for (const edge of edges.splice(0)) await edge.close()
    for (const { client } of strangers.splice(0)) await client.endAsync(true)
    await cloud.close()
  })

  it('talks to another implementation that follows the protocol', async () => {
    const other = await stranger('gw-9')
    await put(cloud.store, 'limit', 8)
    other.say('holdfast/v1/gw-9/up/hello', hello('gw-9'))
    const answer = decodeDownHello(await other.hears('/hello'))
    assert.ok(answer.ok)
    assert.deepEqual(answer.value.positions, [{ table: 'readings', seq: 0, ahead: [] }])
    assert.deepEqual(answer.value.refused, [])
    other.say('holdfast/v1/gw-9/up/entries/readings', frame('s1', 0, 4.5))
    const position = decodePosition(await other.hears('/position/readings'))
    assert.ok(position.ok && position.value.seq === 1)
    assert.deepEqual(await values(cloud.store), [4.5])
    other.say('holdfast/v1/gw-9/up/position/thresholds', { v: 1, session: 's1', run: 0, seq: 0 })
    assert.ok((await other.hears('/entries/thresholds')).length > 0)
  })

  it('lets no gateway speak for another, nor hear another', async () => {
    const edge = await openEdge()
    await until('talking', () => edge.bridge.status().state === 'talking')
    const thief = await stranger('gw-9')
    for (const filter of ['holdfast/v1/gw-1/down/#', 'holdfast/v1/+/down/#']) {
      await assert.rejects(thief.client.subscribeAsync(filter))
    }
    thief.say('holdfast/v1/gw-1/up/entries/readings', frame('s1', 0, 666))
    await until('the thief is thrown out', () => thief.isClosed)
    await append(edge.store, 1)
    await put(cloud.store, 'limit', 8)
    await until('the threshold', () => edge.store.head('thresholds') === 1)
    await until('the reading', () => cloud.store.head('readings') === 1)
    assert.deepEqual(await values(cloud.store), [1])
    assert.equal(thief.heard.filter(({ topic }) => topic.includes('gw-1')).length, 0)
    assert.ok(cloud.denied >= 3)
  })

  it('refuses a gateway whose hello names another, and one of an unknown version, and says why', async () => {
    const other = await stranger('gw-9')
    other.say('holdfast/v1/gw-9/up/hello', hello('gw-1'))
    const mismatch = decodeRefused(await other.hears('/refused'))
    assert.ok(mismatch.ok && mismatch.value.reason === 'gateway-mismatch')
    other.say('holdfast/v1/gw-9/up/hello', { ...hello('gw-9'), v: 2 })
    const version = decodeRefused(await other.hears('/refused'))
    assert.ok(version.ok && version.value.reason === 'version')
    assert.deepEqual(version.value.versions, [1])
  })

  it('says again to a gateway that believes in a conversation that the hub has forgotten', async () => {
    const other = await stranger('gw-9')
    other.say('holdfast/v1/gw-9/up/hello', hello('gw-9'))
    await other.hears('/hello')
    cloud.hub.unreachable()
    await until('silent', () => cloud.hub.status().gateways[0]?.state === 'silent')
    other.say('holdfast/v1/gw-9/up/entries/readings', frame('s1', 0, 1))
    await other.hears('/again')
    assert.equal(cloud.store.head('readings'), 0)
  })

  it('goes on with a gateway after it has forgotten it', async () => {
    const edge = await openEdge()
    await until('talking', () => edge.bridge.status().state === 'talking')
    cloud.hub.unreachable()
    await until('silent', () => cloud.hub.status().gateways[0]?.state === 'silent')
    await append(edge.store, 1)
    await until('the reading', () => cloud.store.head('readings') === 1)
    await put(cloud.store, 'limit', 8)
    await until('the threshold', () => edge.store.head('thresholds') === 1)
  })

  it('remembers after a restart which gateways it knows and when they were last heard', async () => {
    const edge = await openEdge()
    await until('talking', () => edge.bridge.status().state === 'talking')
    await edge.bridge.close()
    await cloud.stop()
    await cloud.start()
    const [known] = cloud.hub.status().gateways
    assert.deepEqual([known?.gateway, known?.state], ['gw-1', 'silent'])
    assert.ok((known?.lastContactMs ?? 0) > 1e12)
  })

  it('serves others while one gateway sends garbage on every topic it has', async () => {
    const edge = await openEdge()
    const noisy = await stranger('gw-9')
    noisy.say('holdfast/v1/gw-9/up/hello', hello('gw-9'))
    await noisy.hears('/hello')
    const topics = ['hello', 'entries/readings', 'position/thresholds', 'ask/readings', 'again', 'refused']
    const garbage = fc.sample(fc.uint8Array({ maxLength: 300 }), 300)
    for (const [index, bytes] of garbage.entries()) {
      noisy.say(`holdfast/v1/gw-9/up/${topics[index % topics.length]}`, Buffer.from(bytes))
    }
    for (let value = 0; value < 20; value++) {
      await append(edge.store, value)
      await sleep(2)
    }
    await until('all readings', () => cloud.store.head('readings') === 20)
    noisy.say('holdfast/v1/gw-9/up/entries/readings', frame('s1', 0, 77))
    await until('even its own good frame', () => cloud.store.head('readings') === 21)
  })

  it('takes a row as deep as a store lets in', async () => {
    const edge = await openEdge()
    let deep: object = []
    for (let depth = 1; depth < 62; depth++) deep = [deep]
    await put(edge.store, 'deep', deep, 'alerts')
    await until('the row', () => cloud.store.latest('alerts', 'deep') !== undefined)
    assert.deepEqual(cloud.store.latest('alerts', 'deep')?.value, deep)
  })

  it('parks a transaction that cannot be read, and the rest flows', async () => {
    const edge = await openEdge()
    await put(edge.store, 'before', 1, 'alerts')
    await edge.store.commit([
      { kind: 'put', table: 'alerts', key: 'poison', value: { reading: Number.NaN } },
      { kind: 'put', table: 'alerts', key: 'its companion', value: 2 },
    ])
    await put(edge.store, 'after', 3, 'alerts')
    await until('the row after it', () => cloud.store.latest('alerts', 'after') !== undefined)
    assert.ok(cloud.store.latest('alerts', 'before') !== undefined)
    assert.equal(cloud.store.latest('alerts', 'poison'), undefined)
    assert.equal(cloud.store.latest('alerts', 'its companion'), undefined, 'transactions stay whole')
    assert.equal(edge.stream('alerts').parked, 2)
    await until('nothing waits', () => edge.stream('alerts').behind === 0)
  })

  it('stops a stream of which the far side can read nothing, and says so, instead of parking it all', async () => {
    const edge = await openEdge()
    for (let key = 0; key < 30; key++) await put(edge.store, `${key}`, { reading: Number.NaN }, 'alerts')
    await until('refused', () => edge.stream('alerts').state === 'refused')
    assert.match(edge.stream('alerts').reason ?? '', /cannot read what we send: cbor-number/)
    assert.ok(edge.stream('alerts').behind > 0)
  })

  it('gives a gateway its own topics and nothing else', () => {
    const may = (user: string, topic: string): string =>
      (['publish', 'subscribe'] as const).filter(action => gatewayMay(user, topic, action)).join()
    assert.equal(may('gw-1', 'holdfast/v1/gw-1/up/hello'), 'publish')
    assert.equal(may('gw-1', 'holdfast/v1/gw-1/up/entries/readings'), 'publish')
    assert.equal(may('gw-1', 'holdfast/v1/gw-1/down/#'), 'subscribe')
    assert.equal(may('gw-1', 'holdfast/v1/gw-1/down/entries/readings'), 'subscribe')
    const nothing = [
      'holdfast/v1/gw-2/up/hello',
      'holdfast/v1/gw-2/down/#',
      'holdfast/v1/+/down/#',
      'holdfast/v1/gw-1/#',
      '#',
      'holdfast/v1/gw-1/up/#',
      'holdfast/v1/gw-1/up/nonsense',
      'holdfast/v1/gw-1/up/entries/',
      '$SYS/x',
      '',
      'holdfast/v1/gw-1/up/entries/a/b',
      'holdfast/v2/gw-1/up/hello',
      'holdfast/v1/gw-1/up/entries/../x',
    ]
    for (const topic of nothing) assert.equal(may('gw-1', topic), '', topic)
    for (const user of ['+', '#', '', 'a/b']) assert.equal(may(user, `holdfast/v1/${user}/down/#`), '', user)
  })

  it('talks with one bridge of a gateway that has two to it: the other is told so once, and neither ends the other', async () => {
    const lines: string[] = []
    const error = (_fields: object, text: string): void => void lines.push(text)
    const log = { ...silentLog, error, child: () => log } as unknown as Log
    const cloud = await Cloud.open()
    const one = await Edge.open(cloud, 'gw-1')
    await until('the first one talks', () => one.bridge.status().state === 'talking')
    await append(one.store, 1)
    const other = await Bridge.open(
      {
        name: 'second',
        url: `mqtt://localhost:${cloud.port}`,
        gateway: 'gw-1',
        username: 'gw-1',
        password: undefined,
        publish: [{ table: 'readings', start: 'beginning' }],
        subscribe: [],
        keepaliveMs: 5_000,
        frameBytes: undefined,
        tls: undefined,
      },
      { ...doors(one.store, systemTime, log), random: () => 0.02 },
    )
    await until('the second one is refused', () => other.status().state === 'refused')
    assert.match(other.status().reason ?? '', /over its bridge "cloud"/)
    await append(one.store, 2, 3)
    await until('the first one goes on', () => one.stream('readings').confirmed === 3)
    await sleep(300)
    assert.deepEqual(lines, ['the hub refuses this gateway'])
    assert.equal(one.bridge.status().state, 'talking')
    assert.deepEqual(await values(cloud.store), [1, 2, 3])
    await other.close()
    await one.close()
    await cloud.close()
  })
})
