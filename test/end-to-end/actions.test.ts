/**
 * What becomes of an alert, on a whole gateway: a relay is switched on the local broker without any cloud, groups are told,
 * people acknowledge and silence, and a process that is killed in the middle of it forgets nothing.
 */
import assert from 'node:assert/strict'
import { type TestContext, describe, test } from 'node:test'
import { connectAsync } from 'mqtt'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { holdfast } from '../commands/holdfast.ts'
import { type Program, Site, eventually, freePort, pause, storeConfig } from './programs.ts'

const rules = `
groups:
  - name: cold-store
    rules:
      - alert: TooWarm
        match: { metric: temperature }
        above: 8
        clear: 7
        actions:
          - publish: { topic: "cmnd/{{ $device }}/POWER", payload: { on: true, at: "{{ $value }}" }, qos: 1, retain: true }
          - write: { table: orders, key: "{{ $device }}", row: { state: "{{ $state }}", site: "{{ $device_labels.site }}" } }
          - publish: { topic: "cmnd/{{ $device }}/POWER", payload: "OFF", retain: true }
            on: resolved
      - alert: Stuck
        match: { metric: stuck }
        above: 0
        actions:
          - write: { table: orders, key: "{{ $device_labels.missing }}", row: 1 }
`

type Heard = { readonly topic: string; readonly payload: string }

/** Hears what the gateway publishes, over its restarts too. */
async function listen(t: TestContext, port: number) {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`, { reconnectPeriod: 50, resubscribe: true })
  t.after(() => client.endAsync(true))
  const heard: Heard[] = []
  /** What the broker had kept for whoever comes later. */
  const kept: Heard[] = []
  client.on('message', (topic, payload, { retain }) => {
    ;(retain ? kept : heard).push({ topic, payload: payload.toString() })
  })
  await client.subscribeAsync(['cmnd/#', 'holdfast/#'], { qos: 1 })
  return { heard, kept, client }
}

async function open(t: TestContext): Promise<{ readonly gateway: Program; readonly port: number }> {
  const port = await freePort()
  const config = `
gateway: { id: gw }
${storeConfig}
broker: { listen: '127.0.0.1:${port}' }
tables: { orders: { kind: records } }
alerts: { group_by: [alertname, site], group_wait: 0s }
`
  const gateway = new Site(t).program('gateway', { config, rules })
  await gateway.start()
  return { gateway, port }
}

const about = (heard: readonly Heard[], prefix: string): string[] =>
  heard.filter(({ topic }) => topic.startsWith(prefix)).map(({ topic, payload }) => `${topic} ${payload}`)

const events = (heard: readonly Heard[]): string[] =>
  heard
    .filter(({ topic }) => topic.startsWith('holdfast/alerts/'))
    .map(({ payload }) => JSON.parse(payload) as AlertRow & { event: string })
    .map(({ event, rule, device }) => `${event} ${rule} ${device}`)

// Each has a gateway of its own, and one waits half a minute for the last try of an action.
describe('what becomes of an alert', { concurrency: 4, timeout: 180_000 }, () => {
  test('a relay is switched on when it fires and off when it is over, and its group is told', async t => {
    const { gateway, port } = await open(t)
    const { heard, client } = await listen(t, port)
    await gateway.put('device_labels', 'freezer-1', { labels: { site: 'lyon' } })
    const publish = (value: number): Promise<unknown> =>
      client.publishAsync('sensors/freezer-1/temperature', String(value), { qos: 1 })
    for (const value of [5, 9.5, 9.9]) await publish(value)
    const on = 'cmnd/freezer-1/POWER {"on":true,"at":9.5}'
    await eventually(() => assert.deepEqual(about(heard, 'cmnd'), [on]))
    await eventually(async () => {
      const rows = await gateway.rows('orders')
      assert.deepEqual(
        rows.map(({ key, value }) => [key, value]),
        [['freezer-1', { state: 'firing', site: 'lyon' }]],
      )
    })
    await publish(6)
    await eventually(() => assert.deepEqual(about(heard, 'cmnd'), [on, 'cmnd/freezer-1/POWER OFF']))
    assert.deepEqual(events(heard), ['firing TooWarm freezer-1', 'resolved TooWarm freezer-1'])
    await eventually(() => {
      const counts = heard
        .filter(({ topic }) => topic === 'holdfast/alert-groups/TooWarm/lyon')
        .map(({ payload }) => (JSON.parse(payload) as { counts: { firing: number } }).counts.firing)
      assert.deepEqual(counts, [1, 0])
    })
    const { announced, actions } = (await gateway.status()).notifications ?? assert.fail()
    assert.deepEqual([announced, actions.done, actions.failed, actions.waiting], [2, 3, 0, 0])
  })

  test('somebody acknowledges it with a command, and silences the next', async t => {
    const { gateway, port } = await open(t)
    const { heard, client } = await listen(t, port)
    const at = ['--config', gateway.config]
    const publish = (device: string, value: number): Promise<unknown> =>
      client.publishAsync(`sensors/${device}/temperature`, String(value), { qos: 1 })
    await publish('freezer-1', 9)
    await eventually(() => assert.deepEqual(events(heard), ['firing TooWarm freezer-1']))
    const { out } = await holdfast(['alerts', ...at])
    const key = /(\S+)$/.exec(out.trimEnd())?.[1] ?? assert.fail(out)
    assert.equal((await holdfast(['alerts', 'ack', key, '--by', 'anna', ...at])).code, 0)
    await eventually(() => assert.equal(events(heard)[1], 'acknowledged TooWarm freezer-1'))
    assert.match((await holdfast(['alerts', ...at])).out, /firing, acked by anna/)

    const silence = await holdfast(['alerts', 'silence', '--device', 'freezer-2', '--for', '1h', ...at])
    assert.equal(silence.code, 0, silence.err)
    await publish('freezer-2', 9)
    await eventually(() => assert.equal(about(heard, 'cmnd/freezer-2').length, 1, 'actions are done all the same'))
    assert.match((await holdfast(['alerts', ...at])).out, /firing, silenced +TooWarm +freezer-2/)
    const id = silence.out.split(':')[0] ?? ''
    assert.equal(events(heard).length, 2)
    assert.equal((await holdfast(['alerts', 'unsilence', id, ...at])).code, 0)
    await eventually(() => assert.equal(events(heard)[2], 'firing TooWarm freezer-2'))
  })

  test('an action that cannot be done delays nobody, is told in status, and is an alert of its own', async t => {
    const { gateway, port } = await open(t)
    const { heard, client } = await listen(t, port)
    await client.publishAsync('sensors/pump/stuck', '1', { qos: 1 })
    await eventually(() => assert.deepEqual(events(heard), ['firing Stuck pump']))
    await client.publishAsync('sensors/freezer-1/temperature', '9', { qos: 1 })
    await eventually(() => assert.equal(about(heard, 'cmnd').length, 1))
    await eventually(async () => {
      const { actions } = (await gateway.status()).notifications ?? assert.fail()
      assert.deepEqual([actions.given_up, actions.last_failure?.reason], [1, 'its key is empty'])
    })
    await eventually(() => assert.ok(events(heard).includes('firing holdfast.ActionFailed gw')))
  })

  test('a gateway that is killed at any moment still does each action, and writes each row once', async t => {
    const { gateway, port } = await open(t)
    const { heard, kept, client } = await listen(t, port)
    client.on('error', () => undefined)
    for (let round = 1; round <= 6; round++) {
      const device = `freezer-${round}`
      await client.publishAsync(`sensors/${device}/temperature`, '9', { qos: 1 })
      // The reading is on the disk; how far the gateway comes with the rest differs from round to round.
      await pause(round * 7)
      await gateway.kill()
      await gateway.start()
      await eventually(async () => {
        assert.ok((await gateway.rows('orders')).some(({ key }) => key === device))
        const { actions } = (await gateway.status()).notifications ?? assert.fail()
        assert.equal(actions.waiting, 0)
      })
      // Done before the kill it was heard; after it, perhaps before anybody listened again, and then the broker kept it.
      const topic = `cmnd/${device}/POWER`
      await eventually(() =>
        assert.ok(
          [...heard, ...kept].some(one => one.topic === topic),
          topic,
        ),
      )
    }
    const { store } = await gateway.status()
    assert.equal(store.tables.find(({ name }) => name === 'orders')?.head, 6)
  })
})
