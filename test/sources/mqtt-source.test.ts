/** A gateway whose source is Debian's mosquitto: what becomes of sessions, of retained messages, and of a full store. */
import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, test, type TestContext } from 'node:test'
import { connectAsync } from 'mqtt'
import { generate } from 'mqtt-packet'
import { systemTime } from '../../runtime/replication/time.ts'
import { MqttSource, type MqttSourceOptions } from '../../runtime/sources/mqtt/mqtt-source.ts'
import type { Publish } from '../../runtime/sources/doors.ts'
import type { Change, Receipt } from '../../runtime/store/types.ts'
import { eventually } from '../end-to-end/programs.ts'
import { missing, openMosquitto } from '../rigs/mosquitto.ts'
import { recordingLog } from '../rigs/recording-log.ts'

const skip = missing('mosquitto', 'mosquitto')
const nothing: Receipt = { stored: 0, duplicates: 0, applied: 0, superseded: 0 }

/** What a gateway is to a source, in memory: it survives the source, as a database does. */
class House {
  readonly stored: string[] = []
  readonly old: string[] = []
  readonly states = new Map<string, unknown>()
  readonly ids = new Map<string, Buffer>()
  readonly log = recordingLog()
  /** While it is set nothing is stored. */
  fault: Error | undefined
  /** While it is set, answers wait. */
  held: (() => void)[] | undefined
  #batch: (() => void)[] = []

  async open(t: TestContext, port: number, options: Partial<MqttSourceOptions> = {}, isToConnect = true) {
    const source = await MqttSource.open(
      {
        name: 'plant',
        url: `mqtt://127.0.0.1:${port}`,
        clientId: 'gw-source-plant',
        username: undefined,
        password: undefined,
        secrets: undefined,
        mqtt: 'auto',
        topics: ['t/#'],
        qos: 1,
        retained: 'changed',
        keepaliveMs: 30_000,
        sessionExpiryMs: 600_000,
        ...options,
      },
      {
        intake: {
          wants: topic => !topic.endsWith('/unwanted'),
          accept: (publish, done) => void this.#batch.push(() => this.#store(publish, done)),
          flush: () => {
            const batch = this.#batch
            this.#batch = []
            const run = (): void => batch.forEach(one => one())
            if (this.held === undefined) setImmediate(run)
            else this.held.push(run)
          },
        },
        memory: {
          commit: async changes => this.#commit(changes),
          states: () => this.states,
          kept: () => this.#kept(),
        },
        time: systemTime,
        clockTrusted: () => true,
        random: () => 0,
        log: this.log,
      },
    )
    t.after(() => source.close())
    if (isToConnect) await eventually(() => assert.equal(source.status().state, 'connected'))
    return source
  }

  #store({ topic, payload, isOld, keep = [] }: Publish, done: (error?: Error) => void): void {
    if (this.fault === undefined) {
      this.stored.push(`${topic} ${payload.toString()}`)
      if (isOld === true) this.old.push(topic)
      this.#commit(keep)
    }
    done(this.fault)
  }

  #commit(changes: readonly Change[]): Receipt {
    for (const change of changes) {
      if (change.kind === 'state') this.states.set(change.key, change.value)
      if (change.kind !== 'keep') continue
      if (change.bytes === undefined) this.ids.delete(change.key)
      else this.ids.set(change.key, change.bytes)
    }
    return nothing
  }

  async *#kept(): AsyncGenerator<[string, Buffer]> {
    yield* this.ids
  }

  said(level: string): string[] {
    return this.log.lines.filter(line => line.level === level).map(line => line.msg)
  }
}

async function broker(t: TestContext, more: readonly string[] = ['allow_anonymous true', 'max_queued_messages 0']) {
  const daemon = await openMosquitto(more)
  t.after(() => daemon.stop())
  const device = await connectAsync(`mqtt://127.0.0.1:${daemon.port}`)
  t.after(() => device.endAsync(true))
  return { port: daemon.port, device }
}

/** Takes a session over for a moment, and answers nothing in it. */
async function throwOut(port: number, clientId: string): Promise<void> {
  const socket = connect({ host: '127.0.0.1', port })
  const properties = { protocolId: 'MQTT', protocolVersion: 4, keepalive: 60 } as const
  socket.write(generate({ cmd: 'connect', ...properties, clean: false, clientId }))
  await once(socket, 'data')
  socket.destroy()
}

describe('mosquitto as a source', { skip, timeout: 60_000 }, () => {
  test('keeps for us what comes while we are away, and is not asked for its retained messages again', async t => {
    const { port, device } = await broker(t)
    await device.publishAsync('t/state', 'on', { qos: 1, retain: true })
    for (const mqtt of ['3.1.1', '5'] as const) {
      const house = new House()
      const options = { mqtt, clientId: `gw-${mqtt}` }
      const first = await house.open(t, port, options)
      await eventually(() => assert.deepEqual(house.stored, ['t/state on']))
      assert.deepEqual(house.old, ['t/state'], 'and it is known that it is old')
      await first.close()
      await device.publishAsync('t/a', mqtt, { qos: 1 })
      const second = await house.open(t, port, options)
      await eventually(() => assert.deepEqual(house.stored.slice(1), [`t/a ${mqtt}`]))
      assert.equal(second.status().counters['sessions_lost'], 0)
      await second.close()
    }
  })

  test('that has lost our session is told once, and subscribed to anew', async t => {
    const { port, device } = await broker(t)
    const house = new House()
    await (await house.open(t, port)).close()
    const thief = await connectAsync(`mqtt://127.0.0.1:${port}`, { clientId: 'gw-source-plant', clean: true })
    await thief.endAsync()
    const source = await house.open(t, port)
    await device.publishAsync('t/a', '1', { qos: 1 })
    await eventually(() => assert.deepEqual(house.stored, ['t/a 1']))
    assert.equal(source.status().counters['sessions_lost'], 1)
    assert.match(house.said('warn').join(), /lost our session/)
  })

  test('is subscribed to what the configuration says now', async t => {
    const { port, device } = await broker(t)
    const house = new House()
    await (await house.open(t, port, { topics: ['t/#', 'u/#'] })).close()
    await house.open(t, port, { topics: ['u/#', 'v/#'] })
    for (const topic of ['t/1', 'u/1', 'v/1']) await device.publishAsync(topic, 'x', { qos: 1 })
    await eventually(() => assert.deepEqual(house.stored, ['u/1 x', 'v/1 x']))
  })

  test('is not listened to where it tells what it has kept, if nobody wants to know', async t => {
    const { port, device } = await broker(t)
    await device.publishAsync('t/state', 'old', { qos: 1, retain: true })
    for (const mqtt of ['3.1.1', '5'] as const) {
      const house = new House()
      await house.open(t, port, { mqtt, clientId: `gw-${mqtt}`, retained: 'never' })
      await device.publishAsync('t/a', 'new', { qos: 1 })
      await eventually(() => assert.deepEqual(house.stored, ['t/a new']))
    }
  })

  for (const qos of [1, 2] as const) {
    test(`sends again with QoS ${qos} what the store has refused, and nothing is lost, doubled or out of order`, async t => {
      const { port, device } = await broker(t)
      const house = new House()
      const source = await house.open(t, port, { qos })
      house.fault = new Error('the disk is full')
      const expected = Array.from({ length: 10 }, (_, index) => `t/a ${index}`)
      for (const index of expected.keys()) await device.publishAsync('t/a', String(index), { qos })
      await eventually(() => assert.match(source.status().reason ?? '', /the store did not take .* the disk is full/))
      assert.deepEqual(house.stored, [])
      house.fault = undefined
      await eventually(() => assert.deepEqual(house.stored, expected))
      assert.equal(source.status().state, 'connected')
      assert.deepEqual([...house.ids], [], 'no id is kept once it is released')
    })

    test(`is answered with QoS ${qos} after the commit alone, also if the connection is another by then`, async t => {
      const { port, device } = await broker(t)
      const house = new House()
      house.held = []
      const source = await house.open(t, port, { qos })
      await device.publishAsync('t/a', '1', { qos })
      await eventually(() => assert.equal(house.held?.length, 1))
      assert.equal(source.status().unanswered, 1)
      // Whoever has our id throws us out; the broker sends it again to us when we are back.
      await throwOut(port, 'gw-source-plant')
      await eventually(() => assert.equal(source.status().state, 'connected'))
      await eventually(() => assert.equal(source.status().unanswered, 2))
      for (const run of house.held.splice(0)) run()
      house.held = undefined
      await eventually(() => assert.equal(source.status().unanswered, 0))
      await device.publishAsync('t/a', '2', { qos })
      await eventually(() => assert.deepEqual(house.stored, ['t/a 1', 't/a 2']))
      assert.equal(source.status().counters['repeats'], 1)
    })
  }

  test('may send what no route takes, and what is too large: it is told once, acknowledged and not stored', async t => {
    const { port, device } = await broker(t)
    for (const mqtt of ['3.1.1', '5'] as const) {
      const house = new House()
      const source = await house.open(t, port, { mqtt, clientId: `gw-${mqtt}` })
      for (const topic of ['t/unwanted', 't/unwanted', 't/holdfast']) await device.publishAsync(topic, 'x', { qos: 1 })
      // With MQTT 5 the broker itself leaves it out: we have told it how much we take.
      await device.publishAsync('t/large', Buffer.alloc(300_000), { qos: 1 })
      await device.publishAsync('t/a', '1', { qos: 1 })
      await eventually(() => assert.deepEqual(house.stored, ['t/holdfast x', 't/a 1']))
      assert.equal(source.status().counters['unrouted'], 2)
      assert.equal(source.status().counters['too_large'], mqtt === '5' ? 0 : 1)
      assert.equal(house.said('warn').length, mqtt === '5' ? 1 : 2)
    }
  })

  test('that does not let us in or read is told with what to do', async t => {
    const daemon = await openMosquitto(['allow_anonymous false'])
    t.after(() => daemon.stop())
    const house = new House()
    await house.open(t, daemon.port, {}, false)
    await eventually(() => assert.match(house.said('warn').join(), /lost/))
    const [line] = house.log.lines.filter(({ level }) => level === 'warn')
    assert.match(String(line?.['reason']), /does not let us in/)
  })
})
