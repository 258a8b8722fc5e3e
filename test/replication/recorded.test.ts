import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { Hub } from '../../runtime/cloud/hub.ts'
import { decodeFrame } from '../../runtime/replication/wire/frames.ts'
import { type BridgeLink, type LinkEvents } from '../../runtime/replication/link/link.ts'
import { Bridge } from '../../runtime/replication/bridge.ts'
import { decodeDownHello, decodePosition, decodeUpHello } from '../../runtime/replication/wire/messages.ts'
import { silentTakes } from '../../runtime/replication/wire/takes.ts'
import { arrival, doors, openTestStore, places, put, rowsOf, until, values } from './rig.ts'

type Message = { readonly topic: string; readonly payload: Buffer }

const recorded: readonly Message[] = (
  JSON.parse(
    readFileSync(new URL('../../../test/replication/recorded/version-1-rows.json', import.meta.url), 'utf8'),
  ) as {
    topic: string
    hex: string
  }[]
).map(({ topic, hex }) => ({ topic: topic.slice('holdfast/v1/edge-1/'.length), payload: Buffer.from(hex, 'hex') }))

const recordedOn = (topic: string): Buffer[] =>
  recorded.filter(message => message.topic === topic).map(({ payload }) => payload)
const first = (topic: string): Buffer => recordedOn(topic)[0] as Buffer
const isPlainCbor = (payload: Buffer): boolean => (payload[0] as number) >= 0xa0 && (payload[0] as number) <= 0xbf

describe('a recorded end of the version before', () => {
  it('tells nothing of what it takes, and is taken for one that reads rows', () => {
    const up = decodeUpHello(first('up/hello'))
    const down = decodeDownHello(first('down/hello'))
    assert.ok(up.ok && down.ok)
    assert.deepEqual([up.value.takes, down.value.takes], [silentTakes, silentTakes])
  })

  it('a gateway, is understood by the hub of today, and sent what it can read', async () => {
    const place = places.memory()
    const store = await openTestStore(place, 'hub')
    const said: Message[] = []
    let hear: (topic: string, payload: Buffer) => void = () => undefined
    const tables = ['readings', 'thresholds', 'alerts']
    const hub = await Hub.open({ id: 'hub', accept: tables, offer: tables, frameBytes: undefined }, doors(store), {
      publish: (topic, payload) => {
        said.push({ topic: topic.slice('holdfast/v1/edge-1/'.length), payload })
        return Promise.resolve()
      },
      subscribe: (_filter, handler) => {
        hear = handler
        return Promise.resolve()
      },
    })
    const say = (topic: string, payload: Buffer): void => hear(`holdfast/v1/edge-1/${topic}`, payload)
    const saidOn = (topic: string): Buffer[] => said.filter(one => one.topic === topic).map(({ payload }) => payload)
    await put(store, 'freezer-1/temperature', -15)
    say('up/hello', first('up/hello'))
    await until('the hub answers', () => saidOn('down/hello').length === 1)
    for (const { topic, payload } of recorded) {
      // The later ones confirm more than this hub has: it would take its own database for an older copy.
      if (topic === 'up/position/thresholds' && payload !== first(topic)) continue
      if (topic.startsWith('up/') && topic !== 'up/hello') say(topic, payload)
    }
    await until('all is stored', async () => (await values(store)).length === 10)
    await until('the alerts are stored', async () => (await values(store, 'alerts')).length === 3)
    assert.deepEqual(
      (await values(store)).map(value => JSON.stringify(value)),
      [
        '-18.25',
        '-18.5',
        '0',
        '1e+21',
        '-0.001',
        '-18.125',
        '0.5',
        '"open"',
        'true',
        '{"lat":48.137,"lon":11.575,"fix":[1,2,null]}',
      ],
    )
    assert.deepEqual(Object.keys(await rowsOf(store, 'alerts')), ['freezer-1/temperature/TooWarm/2'])
    await until('each is confirmed', () => {
      const last = decodePosition(saidOn('down/position/readings').at(-1) ?? Buffer.alloc(0))
      return last.ok && last.value.seq === 10
    })
    await until('the threshold is sent', () => saidOn('down/entries/thresholds').length > 0)
    const [sent] = saidOn('down/entries/thresholds') as [Buffer]
    assert.ok(isPlainCbor(sent), 'an end that tells nothing is sent rows, and nothing compressed')
    assert.ok(decodeFrame(sent, 'records').ok)
    assert.equal(hub.status().refused, 0)
    await hub.close()
    await store.close()
    place.remove()
  })

  it('a hub, is sent what it can read by the gateway of today, and understood', async () => {
    const place = places.memory()
    const store = await openTestStore(place, 'edge-1')
    const said: Message[] = []
    let events: LinkEvents | undefined
    const down = decodeDownHello(first('down/hello'))
    assert.ok(down.ok)
    const { session } = down.value
    const bridge = await Bridge.open(
      {
        name: 'cloud',
        url: 'mqtt://recorded',
        gateway: 'edge-1',
        username: 'edge-1',
        password: undefined,
        publish: [
          { table: 'readings', start: 'beginning' },
          { table: 'alerts', start: 'beginning' },
        ],
        subscribe: ['thresholds'],
        keepaliveMs: 5_000,
        frameBytes: undefined,
        tls: undefined,
      },
      {
        ...doors(store),
        random: () => 0.5,
        randomId: () => session,
        makeLink: (_options, given) => {
          events = given
          const link: BridgeLink = {
            open: () => undefined,
            close: () => Promise.resolve(),
            publish: (topic, payload) => void said.push({ topic: topic.slice('holdfast/v1/edge-1/'.length), payload }),
            reset: () => undefined,
            settled: () => undefined,
            status: () => ({
              state: 'connected',
              sinceMs: 0,
              reason: undefined,
              kind: undefined,
              attempts: 0,
              nextAttemptInMs: undefined,
              mqtt: '3.1.1',
              denied: [],
              warnings: [],
              connectedAtMs: 0,
            }),
          }
          return link
        },
      },
    )
    const saidOn = (topic: string): Buffer[] => said.filter(one => one.topic === topic).map(({ payload }) => payload)
    const hear = (topic: string, payload: Buffer): void => events?.onMessage(`holdfast/v1/edge-1/${topic}`, payload)
    const readings = Array.from({ length: 10 }, (_, index) => arrival(index, { boot: 'boot-1' }))
    await store.commit([{ kind: 'append', table: 'readings', readings }])
    events?.onUp()
    assert.ok(saidOn('up/hello').length > 0)
    hear('down/hello', first('down/hello'))
    await until('talking', () => bridge.status().state === 'talking')
    for (const payload of recordedOn('down/entries/thresholds')) hear('down/entries/thresholds', payload)
    await until('the thresholds are stored', async () => (await rowsOf(store))['freezer-1/temperature'] !== undefined)
    await until('the deletion is stored', async () => (await values(store, 'thresholds')).length === 3)
    await until('the readings are sent', () => saidOn('up/entries/readings').length > 0)
    const [sent] = saidOn('up/entries/readings') as [Buffer]
    assert.ok(isPlainCbor(sent))
    assert.ok(decodeFrame(sent, 'series').ok)
    for (const payload of recordedOn('down/position/readings')) hear('down/position/readings', payload)
    await until('all is confirmed', () => bridge.status().streams.find(one => one.table === 'readings')?.behind === 0)
    assert.equal(bridge.status().refused, 0)
    await bridge.close()
    await store.close()
    place.remove()
  })
})
