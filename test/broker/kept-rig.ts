/** A broker over a real store, stopped and started again as often as a test wants, with the clock that it gives. */
import type { TestContext } from 'node:test'
import type { Packet } from 'mqtt-packet'
import type { Access } from '../../runtime/broker/access.ts'
import { type Broker, openBroker } from '../../runtime/broker/broker.ts'
import type { Shelf, ShelfChange } from '../../runtime/broker/ledger.ts'
import { type BrokerLimits, defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { Publish } from '../../runtime/broker/publish.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { diskPlace } from '../store/homes.ts'
import { type ConnectOptions, type RawClient, engineFromEnvironment, openClient, publishPacket, until } from './rig.ts'

export type KeptRig = {
  /** Starts the broker. `cut` tells it what the disk does not take any more: nothing from then on. */
  start(): Promise<void>
  stop(): Promise<void>
  /** The disk fails, or is well again. */
  isFailing: boolean
  /** Ends without a word, as a power cut does: what waited for a commit of somebody else is gone. */
  cut(): Promise<void>
  client(options: ConnectOptions): Promise<RawClient>
  /** A session that has come with these subscriptions, and gone. */
  away(clientId: string, ...filters: string[]): Promise<void>
  /** What the store holds for the broker. */
  keys(): Promise<string[]>
  readonly broker: Broker
  readonly store: Store
  clock: { nowMs: number; monotonicMs: number; isTrusted: boolean }
  /** Of the next start. */
  mqtt5: boolean
}

export async function openKept(
  t: TestContext,
  limits: Partial<BrokerLimits> = {},
  access?: Access,
  mqtt5 = engineFromEnvironment,
): Promise<KeptRig> {
  const place = diskPlace()
  let store: Store | undefined
  let broker: Broker | undefined
  let isCut = false
  const clock = { nowMs: 1_700_000_000_000, monotonicMs: 0, isTrusted: true }
  const rig: KeptRig = {
    clock,
    isFailing: false,
    mqtt5,
    get broker() {
      if (!broker) throw new Error('not started')
      return broker
    },
    get store() {
      if (!store) throw new Error('not started')
      return store
    },
    async start() {
      const opened = await place.open({ commitIntervalMs: 0 })
      store = opened
      isCut = false
      // What may wait is written with the next that may not, and never by itself: a cut finds as much of it as it can.
      const waiting: (() => void)[] = []
      const write = (changes: readonly ShelfChange[]): Promise<unknown> =>
        isCut || rig.isFailing ? Promise.reject(new Error('no power')) : opened.commit(changes, 'now')
      const shelf: Shelf = {
        kept: owner => opened.kept(owner),
        commit: (changes, urgency) => {
          if (urgency === 'lazy') {
            return new Promise((resolve, reject) => waiting.push(() => void write(changes).then(resolve, reject)))
          }
          for (const go of waiting.splice(0)) go()
          return write(changes)
        },
      }
      broker = await openBroker({
        listen: [{ host: '127.0.0.1', port: 0 }],
        limits: { ...defaultBrokerLimits, ...limits },
        mqtt5: rig.mqtt5,
        access,
        intake: {
          wants: topic => topic.startsWith('sensors/'),
          accept: ({ keep = [] }: Publish, done) => {
            shelf.commit(keep, 'interval').then(
              () => done(),
              (error: Error) => done(error),
            )
          },
          flush: () => undefined,
        },
        now: () => clock.nowMs,
        monotonicMs: () => clock.monotonicMs,
        trustedMs: () => (clock.isTrusted ? clock.nowMs : undefined),
        shelf,
        log: silentLog,
      })
    },
    async stop() {
      await broker?.close()
      await store?.close()
      broker = store = undefined
    },
    async cut() {
      isCut = true
      await rig.stop()
    },
    client: options => openClient(t, rig.broker.addresses()[0]?.port ?? 0, options),
    async away(clientId, ...filters) {
      const client = await rig.client({ clientId, clean: false })
      await subscribe(client, 1, ...filters)
      client.send({ cmd: 'disconnect' })
      await until(() => client.closed && !rig.broker.connected().includes(clientId))
    },
    async keys() {
      const found: string[] = []
      for await (const [key] of rig.store.kept('broker')) found.push(key)
      return found
    },
  }
  t.after(async () => {
    await rig.stop()
    place.remove()
  })
  await rig.start()
  return rig
}

export async function subscribe(client: RawClient, qos: 0 | 1 | 2, ...filters: string[]): Promise<void> {
  const before = client.count('suback')
  client.send({ cmd: 'subscribe', messageId: 900 + before, subscriptions: filters.map(topic => ({ topic, qos })) })
  await client.next('suback', before)
}

/** Publishes with QoS 1, and waits until all are acknowledged. */
export async function publish(client: RawClient, topic: string, ...payloads: string[]): Promise<void> {
  const before = client.count('puback')
  client.send(...payloads.map((payload, i) => publishPacket(topic, payload, 1, before + i + 1)))
  await client.next('puback', before + payloads.length - 1)
}

export function acknowledge(client: RawClient, packets: readonly Packet[]): void {
  for (const packet of packets)
    if (packet.cmd === 'publish') client.send({ cmd: 'puback', messageId: packet.messageId ?? 0 })
}
