/** The suite of far sides on those that there are: a hub, and plain brokers. */
import type { TestContext } from 'node:test'
import { BrokerBridge } from '../../runtime/replication/plain/broker-bridge.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type BrokerKind, RealBroker } from '../rigs/brokers.ts'
import { missing } from '../rigs/mosquitto.ts'
import { openProxy } from '../rigs/proxy.ts'
import { memoryPlace } from '../store/homes.ts'
import { type FarEnd, type FarSideKind, farSideSuite } from './far-side-suite.ts'
import { append, Cloud, doors, Edge, openTestStore, values } from './rig.ts'

type Options = Parameters<FarSideKind['open']>[1]

async function openHub(t: TestContext, { time, start }: Options): Promise<FarEnd> {
  const cloud = await Cloud.open({}, memoryPlace(), time)
  t.after(() => cloud.close())
  const place = memoryPlace()
  await beforeTheBridge(place, start)
  const options = { publish: [{ table: 'readings', start }], subscribe: [], keepaliveMs: 60_000 }
  const edge = await Edge.open(cloud, 'gw-1', options, place, undefined, time)
  t.after(() => edge.close())
  let speak = (): void => {}
  return {
    proxy: edge.proxy,
    store: () => edge.store,
    farSide: () => edge.bridge,
    arrived: async () => (await values(cloud.store)).filter(value => value !== 'gap') as number[],
    parked: () => edge.stream('readings').parked,
    restartFarSide: async () => {
      await cloud.stop()
      await cloud.start()
    },
    restartGateway: async () => {
      await edge.stop()
      await edge.start()
    },
    hush: async () => {
      speak = holdCommits(cloud.store)
    },
    speak: () => speak(),
  }
}

/** Commits wait until the returned function is called. */
function holdCommits(store: Store): () => void {
  const commit = store.commit.bind(store)
  let release = (): void => {}
  const gate = new Promise<void>(resolve => {
    release = resolve
  })
  store.commit = (...all) => gate.then(() => commit(...all))
  return release
}

/** With `now`, something is there before the stream is: it must not be sent. */
async function beforeTheBridge(place: ReturnType<typeof memoryPlace>, start: Options['start']): Promise<void> {
  if (start === 'beginning') return
  const store = await openTestStore(place, 'gw-1')
  await append(store, -1, -2)
  await store.close()
}

const openBroker =
  (kind: BrokerKind) =>
  async (t: TestContext, { time, start }: Options): Promise<FarEnd> => {
    const broker = await RealBroker.open(kind)
    t.after(() => broker.close())
    const proxy = await openProxy({ target: { host: '127.0.0.1', port: broker.port } })
    t.after(() => proxy.close())
    const heard = await broker.listen('holdfast/#')
    const place = memoryPlace()
    await beforeTheBridge(place, start)
    const options = {
      name: 'plain',
      url: `mqtt://127.0.0.1:${proxy.port}`,
      gateway: 'gw-1',
      username: undefined,
      password: undefined,
      publish: [{ table: 'readings', start, topic: undefined, format: 'json' as const, payload: undefined }],
      keepaliveMs: 60_000,
      tls: undefined,
    }
    const openStore = (): Promise<Store> => openTestStore(place, 'gw-1')
    const dial = (store: Store): Promise<BrokerBridge> =>
      BrokerBridge.open(options, { ...doors(store, time), random: () => 0.02 })
    let store = await openStore()
    let bridge = await dial(store)
    const stop = async (): Promise<void> => {
      await bridge.close()
      await store.close()
    }
    t.after(async () => {
      await stop()
      place.remove()
    })
    return {
      proxy,
      store: () => store,
      farSide: () => bridge,
      arrived: () =>
        Promise.resolve(heard.map(({ payload }) => (JSON.parse(String(payload)) as { value: number }).value)),
      parked: () => bridge.status().streams[0]?.parked ?? 0,
      restartFarSide: async () => {
        await broker.stop()
        await broker.start()
      },
      restartGateway: async () => {
        await stop()
        store = await openStore()
        bridge = await dial(store)
      },
      hush: () => broker.freeze(),
      speak: () => broker.thaw(),
    }
  }

farSideSuite({ name: 'hub', skip: false, open: openHub, isOnce: true })
farSideSuite({
  name: 'plain broker: mosquitto',
  skip: missing('mosquitto', 'mosquitto'),
  open: openBroker('mosquitto'),
  isOnce: false,
})
farSideSuite({
  name: 'plain broker: NATS',
  skip: missing('nats-server', 'nats-server'),
  open: openBroker('nats'),
  isOnce: false,
})
