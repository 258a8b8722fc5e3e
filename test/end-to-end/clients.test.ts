/**
 * Clients that we did not write against a gateway of its own process: mosquitto_pub and mosquitto_sub, Debian's paho and
 * mqtt.js, each over plain MQTT, TLS and WebSocket as far as it knows them, in MQTT 3.1.1 and 5. Each promise of the broker
 * is one entry of a table and is asked of every cell; then the gateway ends, in peace and by kill -9, and sessions go on.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, test } from 'node:test'
import { Authority } from '../rigs/certificates.ts'
import { missing } from '../rigs/mosquitto.ts'
import type { Heard, Kit, Line, Qos, Subscriber, Transport } from './clients/client-kit.ts'
import { mosquittoKit } from './clients/mosquitto-kit.ts'
import { mqttjsKit } from './clients/mqttjs-kit.ts'
import { openPaho, pahoMissing } from './clients/paho-kit.ts'
import { eventually, freePort, type Program, Site, storeConfig } from './programs.ts'

const skip = missing('mosquitto_pub', 'mosquitto-clients') || pahoMissing()

/** One client over one transport in one version. Its topics are its own. */
type Cell = { readonly id: string; readonly about: string; readonly kit: Kit; readonly line: Line }
type Ground = Cell & { readonly gateway: Program }

const limits =
  'limits: { connections_per_address: 500, connect_rate: 10000, connect_rate_per_address: 10000, will_grace: 1s }'
const payloads = (heard: readonly Heard[]): string[] => heard.map(({ payload }) => payload)
const qosLevels = [0, 1, 2] as const

const promises: readonly { about: string; hold: (ground: Ground) => Promise<void> }[] = [
  {
    about: 'readings of QoS 0, 1 and 2 are stored once, and heard at each QoS',
    async hold({ id, kit, line, gateway }) {
      const topic = `sensors/${id}/t`
      const listeners = await Promise.all(
        qosLevels.map(qos => kit.subscribe(line, { id: `${id}-hears${qos}`, filter: `sensors/${id}/#`, qos })),
      )
      const stored = async (): Promise<unknown[]> =>
        (await gateway.readings()).filter(({ device }) => device === id).map(({ value }) => value)
      for (const qos of [2, 1, 0] as const) {
        await kit.publish(line, { topic, payload: `1${qos}`, qos })
        if (qos > 0) assert.equal((await stored()).at(-1), 10 + qos, 'acknowledged, and not there')
      }
      await soon(async () => assert.deepEqual(await stored(), [12, 11, 10]))
      for (const [own, { heard, leave }] of listeners.entries()) {
        await soon(() =>
          assert.deepEqual(
            heard.map(({ payload, qos, retain }) => [payload, qos, retain]),
            [2, 1, 0].map(qos => [`1${qos}`, Math.min(qos, own), false]),
          ),
        )
        await leave()
      }
    },
  },
  {
    about: 'a retained message waits for who comes later, until it is cleared',
    async hold({ id, kit, line }) {
      const topic = `signs/${id}`
      const looks = async (look: string): Promise<readonly Heard[]> => {
        const { heard, leave } = await kit.subscribe(line, { id: `${id}-${look}`, filter: `signs/${id}/#`, qos: 1 })
        // What is retained comes before what is published now.
        await kit.publish(line, { topic: `${topic}/now`, payload: 'now', qos: 1 })
        await soon(() => assert.ok(payloads(heard).includes('now')))
        await leave()
        return heard
      }
      for (const qos of qosLevels) {
        await kit.publish(line, { topic, payload: `open ${qos}`, qos, retain: true })
        // One of QoS 0 has no answer to wait for, but the next of the same client would stand behind it.
        const heard = await soon(async () => {
          const seen = await looks(`look${qos}`)
          assert.deepEqual(payloads(seen), [`open ${qos}`, 'now'])
          return seen
        })
        assert.deepEqual(
          heard.map(({ retain, qos }) => [retain, qos]),
          [
            [true, Math.min(qos, 1)],
            [false, 1],
          ],
        )
      }
      await kit.publish(line, { topic, payload: '', qos: 1, retain: true })
      assert.deepEqual(payloads(await looks('cleared')), ['now'])
    },
  },
  {
    about: 'the will of one that goes without a word is published and stored, of one that says good-bye it is not',
    async hold({ id, kit, line, gateway }) {
      const will = (payload: string) => ({ topic: `sensors/${id}-will/online`, payload, qos: 1 as const })
      const neighbour = await kit.subscribe(line, { id: `${id}-mourns`, filter: `sensors/${id}-will/#`, qos: 1 })
      const polite = { id: `${id}-polite`, filter: 'nothing', qos: 0 as const, will: will('1') }
      await (await kit.subscribe(line, polite)).leave()
      const doomed = { id: `${id}-doomed`, filter: 'nothing', qos: 0 as const, will: will('0') }
      await (await kit.subscribe(line, doomed)).cut()
      // In MQTT 5 a mosquitto_sub that is ended says good-bye and asks for its will all the same (0x04).
      const told = kit === mosquittoKit && line.version === 5 ? ['1', '0'] : ['0']
      await soon(() => assert.deepEqual(payloads(neighbour.heard), told))
      const values = (await gateway.readings()).filter(({ device }) => device === `${id}-will`)
      assert.deepEqual(
        values.map(({ value }) => JSON.stringify(value)),
        told,
      )
      await neighbour.leave()
    },
  },
  {
    about: 'properties of MQTT 5 reach its subscribers, live, retained and from a queue',
    async hold({ id, kit, line }) {
      if (line.version < 5) return
      const topic = `noted/${id}`
      const options = { id: `${id}-notes`, filter: `${topic}/#`, qos: 1 as const, keeps: true }
      const live = await kit.subscribe(line, options)
      await kit.publish(line, { topic: `${topic}/live`, payload: 'a', qos: 1, note: 'first' })
      await soon(() => assert.deepEqual(live.heard.map(notes), [['a', 'first']]))
      await live.leave()
      await kit.publish(line, { topic: `${topic}/queued`, payload: 'b', qos: 1, retain: true, note: 'second' })
      const again = await kit.subscribe(line, options)
      await soon(() => assert.ok(again.heard.length >= 2, 'from the queue, and as retained'))
      for (const heard of again.heard) assert.deepEqual(notes(heard), ['b', 'second'])
      await again.leave()
    },
  },
]

const soon = <T>(check: () => Promise<T> | T): Promise<T> => eventually(check, 20_000)
const all = ['before1', 'after1', 'before2', 'after2']
/** Order is promised within a QoS: a client may give away one of QoS 2 at its PUBREL, after others. */
const byQos = (heard: readonly Heard[]): string[] =>
  payloads(heard).toSorted((a, b) => Number(a.at(-1)) - Number(b.at(-1)))
const notes = ({ payload, note }: Heard) => [payload, note]

/** Each transport once on each engine, and both versions beside each other. */
const versionsOf = (mqtt5: boolean, kind: Transport): readonly (4 | 5)[] =>
  mqtt5 ? (kind === 'mqtt' ? [4, 5] : [5]) : [4]

for (const mqtt5 of [false, true]) {
  describe(`broker.mqtt5: ${mqtt5}`, { skip, timeout: 240_000 }, () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-clients-'))
    const site = new Site()
    const kits: Kit[] = []
    let cells: Cell[] = []
    let gateway: Program

    before(async () => {
      const authority = new Authority(folder)
      const { cert, key } = authority.sign('gateway')
      const kinds: Transport[] = ['mqtt', 'mqtts', mqtt5 ? 'wss' : 'ws']
      const ports = new Map<Transport, number>()
      for (const kind of kinds) ports.set(kind, await freePort())
      const listen = kinds.map(kind => `'${kind}://127.0.0.1:${ports.get(kind)}'`).join(', ')
      const config = `
gateway: { id: gw }
${storeConfig}
broker: { listen: [${listen}], tls: { cert: ${cert}, key: ${key} }, mqtt5: ${mqtt5}, ${limits} }
`
      gateway = site.program('gateway', { config })
      await gateway.start()
      kits.push(mosquittoKit, openPaho(), mqttjsKit)
      cells = kits.flatMap(kit =>
        kinds
          .filter(kind => kit.transports.includes(kind))
          .flatMap(kind =>
            versionsOf(mqtt5, kind).map(version => ({
              id: `${kit.name.replace('.', '')}-${kind}-${version}`,
              about: `${kit.name}, ${kind}, MQTT ${version === 4 ? '3.1.1' : '5'}`,
              kit,
              line: { kind, version, port: ports.get(kind) ?? 0, ca: authority.cert },
            })),
          ),
      )
    })
    after(async () => {
      for (const kit of kits) kit.close()
      await site.remove()
      rmSync(folder, { recursive: true })
    })

    const each = <T>(ask: (cell: Cell) => Promise<T>): Promise<T[]> =>
      Promise.all(
        cells.map(cell =>
          ask(cell).catch((cause: unknown) => {
            throw new Error(`${cell.about}: ${cause instanceof Error ? cause.message : String(cause)}`, { cause })
          }),
        ),
      )

    for (const { about, hold } of promises) {
      test(about, async () => void (await each(cell => hold({ ...cell, gateway }))))
    }

    test('each hears what every other has sent', async () => {
      const listeners = await each(({ id, kit, line }) =>
        kit.subscribe(line, { id: `${id}-square`, filter: 'square/#', qos: 2 }),
      )
      await each(({ id, kit, line }) => kit.publish(line, { topic: `square/${id}`, payload: id, qos: 2 }))
      const all = cells.map(({ id }) => id).toSorted()
      for (const { heard, leave } of listeners) {
        await soon(() => assert.deepEqual(payloads(heard).toSorted(), all))
        await leave()
      }
    })

    for (const end of ['stop', 'kill'] as const) {
      test(`a session goes on after the gateway ended (${end}), with what was queued before and after, in order`, async () => {
        const away = (qos: Qos) =>
          each(({ id, kit, line }) =>
            kit.subscribe(line, { id: `${id}-${end}-away${qos}`, filter: `queue/${end}/${id}`, qos, keeps: true }),
          )
        const publish = (payload: string) =>
          each(async ({ id, kit, line }) => {
            for (const qos of [1, 2] as const) {
              await kit.publish(line, { topic: `queue/${end}/${id}`, payload: `${payload}${qos}`, qos })
            }
          })
        const leave = (subscribers: Subscriber[]) => Promise.all(subscribers.map(subscriber => subscriber.leave()))
        await leave([...(await away(1)), ...(await away(2))])
        const present: Subscriber[] = []
        await each(async ({ id, kit, line }) => {
          const options = { id: `${id}-${end}-stays`, filter: `queue/${end}/${id}`, keeps: true, stays: true }
          if (kit.comesBack(line)) present.push(await kit.subscribe(line, { ...options, qos: 2 }))
        })
        await publish('before')
        for (const { heard } of present) await soon(() => assert.equal(heard.length, 2))
        await gateway[end]()
        await gateway.start()
        await publish('after')
        const back = await away(2)
        for (const { heard } of [...back, ...present]) {
          await soon(() => assert.deepEqual(byQos(heard), all))
        }
        // Of QoS 1 it may be more than once, but it is all there.
        const once = await away(1)
        for (const { heard } of once) {
          await soon(() => assert.deepEqual([...new Set(byQos(heard))], all))
        }
        await leave([...back, ...once, ...present])
      })
    }
  })
}
