import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { Action } from '../../rules/rule.ts'
import { deedOf } from '../../runtime/alerting/notify/actions.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Change, Urgency } from '../../runtime/store/types.ts'
import { startMs } from '../store/suite.ts'
import { Notifying, alertOf, minuteMs, publishes, ruleOf } from './notifying.ts'
import { until } from './until.ts'

const relayOn = publishes('cmnd/{{ $device }}/relay', { on: true, value: '{{ $value }}' }, { qos: 2, retain: true })
const relayOff = publishes('cmnd/{{ $device }}/relay', 'OFF', { on: ['resolved'] })
const writes = (key: string, row: Json, on: Action['on'] = ['firing', 'resolved']): Action => ({
  on,
  repeatMs: undefined,
  does: { kind: 'write', table: 'log', key, row },
})

let house: Notifying
beforeEach(async () => {
  house = new Notifying()
  await house.openStore()
})
afterEach(() => house.close())

const acted = async (): Promise<string[]> => (await house.heard()).filter(text => /^(cmnd|siren|broken)/.test(text))

describe('the actions of a rule', () => {
  it('switch a relay once when the alert fires and once when it is over, without a cloud', async () => {
    house.rules = [ruleOf({ actions: [relayOn, relayOff] })]
    house.open()
    const key = await house.alert({ device: 'f/1' })
    await house.notifier.settled()
    const { topic, payload, qos, retain } = house.told.find(one => one.topic.startsWith('cmnd')) ?? assert.fail()
    assert.deepEqual([topic, payload, qos, retain], ['cmnd/f_1/relay', '{"on":true,"value":9.5}', 2, true])
    await house.change(key, { snippet: null })
    await house.change(key, { acked_ms: house.nowMs, acked_by: 'anna' })
    await house.passes(60 * minuteMs)
    assert.equal((await acted()).length, 1)
    await house.change(key, { state: 'latched' })
    assert.deepEqual(await acted(), [], 'an alert that is latched is not over')
    await house.resolve(key)
    await house.restart()
    assert.deepEqual(await acted(), ['cmnd/f_1/relay OFF'])
    assert.equal((await acted()).length, 0)
  })

  it('are done though the alert is silenced, and never for late alerts', async () => {
    house.rules = [ruleOf({ actions: [relayOn, relayOff] })]
    house.open()
    await house.silence('s', {}, 60 * minuteMs)
    await house.alert({ late: true, device: 'late' })
    const key = await house.alert()
    await house.resolve(key)
    const told = await house.heard()
    assert.deepEqual(told, ['cmnd/freezer-1/relay {"on":true,"value":9.5}', 'cmnd/freezer-1/relay OFF'])
  })

  it('are repeated while the alert fires, over restarts too, and no longer', async () => {
    house.rules = [ruleOf({ actions: [publishes('siren', '{{ $state }}', { repeatMs: 5 * minuteMs })] })]
    house.open()
    const key = await house.alert()
    await house.passes(4 * minuteMs)
    assert.deepEqual(await acted(), ['siren firing'])
    await house.restart()
    assert.deepEqual(await acted(), [])
    await house.passes(minuteMs)
    assert.deepEqual(await acted(), ['siren firing'])
    await house.notifier.close()
    house.nowMs += 60 * minuteMs
    house.open()
    assert.deepEqual(await acted(), ['siren firing'], 'what was missed while it was off is not made up for')
    await house.resolve(key)
    await house.passes(60 * minuteMs)
    assert.deepEqual(await acted(), [])
  })

  it('that fail are tried again a few times, in order, while other alerts and actions go on; then they are given up', async () => {
    house.rules = [
      ruleOf({ actions: [publishes('broken', 'x'), publishes('siren', 'after it')] }),
      ruleOf({ id: 'Other', actions: [relayOn] }),
    ]
    const tries: number[] = []
    house.beforeTaking = topic => {
      if (topic !== 'broken') return
      tries.push(house.nowMs - startMs)
      throw new Error('the relay board is away')
    }
    house.open()
    await house.alert()
    await house.alert({ rule: 'Other', device: 'b' })
    assert.deepEqual(await acted(), ['cmnd/b/relay {"on":true,"value":9.5}'])
    for (let second = 0; second < 60; second++) await house.passes(1_000)
    assert.deepEqual(
      tries.map(ms => ms / 1_000),
      [0, 1, 3, 7, 15, 31],
    )
    assert.deepEqual(await acted(), ['siren after it'])
    const { done, failed, givenUp, waiting, lastFailure } = house.notifier.status().actions
    assert.deepEqual([done, failed, givenUp, waiting], [2, 6, 1, 0])
    assert.equal(lastFailure?.reason, 'the relay board is away')
    assert.deepEqual(house.troubles, [undefined, 'action 1 of the rule Warm fails: the relay board is away'])
    house.beforeTaking = () => undefined
    await house.alert({ device: 'c' })
    await house.notifier.settled()
    assert.equal(house.troubles.at(-1), undefined)
  })

  it('that hang hold up neither other alerts nor what is told', async () => {
    let release: () => void = () => undefined
    house.rules = [ruleOf({ actions: [relayOn] })]
    house.beforeTaking = topic =>
      topic === 'cmnd/stuck/relay' ? new Promise(resolve => (release = resolve)) : undefined
    house.open()
    await house.alert({ device: 'stuck' })
    await house.alert({ device: 'b' })
    await until(() => house.told.length === 3)
    const topics = house.told.map(({ topic }) => topic)
    assert.deepEqual(topics.toSorted(), [
      'cmnd/b/relay',
      'holdfast/alerts/Warm/b/temperature',
      'holdfast/alerts/Warm/stuck/temperature',
    ])
    release()
    await house.notifier.settled()
    assert.equal(house.told.at(-1)?.topic, 'cmnd/stuck/relay')
  })

  it('that write a row do so exactly once: the row and the note that it is written are one commit', async () => {
    const commits: string[][] = []
    let failures = 1
    house.options = {
      store: new Proxy(house.store, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown
          if (name !== 'commit') return typeof value === 'function' ? (value.bind(target) as unknown) : value
          return (changes: readonly Change[], urgency: Urgency) => {
            const isWrite = changes.some(change => change.kind === 'put' && change.table === 'log')
            if (isWrite && failures-- > 0) return Promise.reject(new HoldfastError('STORE_FULL', 'no space just now'))
            if (isWrite) commits.push(changes.map(({ kind }) => kind))
            return target.commit(changes, urgency)
          }
        },
      }),
    }
    const row = { at: '{{ $value }}', why: '{{ $alert }}!' }
    house.rules = [ruleOf({ actions: [writes('{{ $device }}/{{ $state }}', row)] })]
    house.open()
    const before = house.saved()
    const key = await house.alert()
    await house.notifier.settled()
    assert.equal(house.store.latest('log', 'freezer-1/firing'), undefined, 'a store without space is waited for')
    assert.equal(house.notifier.status().actions.failed, 0)
    await house.passes(1_000)
    const written = house.store.latest('log', 'freezer-1/firing')
    assert.deepEqual(written?.value, { at: 9.5, why: 'Warm!' })
    assert.deepEqual(commits, [['put', 'state']])
    // After a crash right then the cursor may be older.
    const state = house.store.state('notifier', key) as Json
    await house.crash({ cursor: before.cursor, states: new Map([...before.states, [key, state]]) })
    await house.notifier.settled()
    assert.equal(house.store.latest('log', 'freezer-1/firing')?.seq, written?.seq)
    await house.resolve(key)
    await house.notifier.settled()
    assert.deepEqual(house.store.latest('log', 'freezer-1/resolved')?.value, { at: 9.5, why: 'Warm!' })
    assert.equal(house.store.head('log'), 2)
  })

  it('are done after a crash between the alert and its action', async () => {
    house.rules = [ruleOf({ actions: [relayOn, writes('k', 1)] })]
    house.open()
    await house.notifier.settled()
    const before = house.saved()
    await house.notifier.close()
    await house.alert()
    await house.crash(before)
    assert.equal((await acted()).length, 1)
    assert.equal(house.store.latest('log', 'k')?.value, 1)
  })

  it('that cannot be done say why: a table that is missing, a row too large, a topic with a wildcard', async () => {
    const to = (table: string): Action => ({
      on: ['firing'],
      repeatMs: undefined,
      does: { kind: 'write', table, key: 'k', row: 1 },
    })
    house.rules = [ruleOf({ actions: [to('nowhere'), writes('big', 'x'.repeat(1 << 20), ['firing']), relayOn] })]
    house.open()
    await house.alert()
    const reasons = new Set<string | undefined>()
    for (let second = 0; second < 70; second++) {
      await house.passes(1_000)
      reasons.add(house.notifier.status().actions.lastFailure?.reason)
    }
    assert.match([...reasons].join('\n'), /nowhere.*\n.*(large|bytes)/)
    assert.equal((await acted()).length, 1)
    const row = alertOf({ device: 'a' })
    assert.match(JSON.stringify(deedOf(publishes('a/#', 'x'), row, 'firing')), /wildcard/)
    assert.match(JSON.stringify(deedOf(publishes('holdfast/alerts/x', 'x'), row, 'firing')), /belong to the gateway/)
    assert.match(JSON.stringify(deedOf(to('alerts'), row, 'firing')), /gateway alone/)
  })

  it('of a rule that is gone are not done', async () => {
    house.rules = [ruleOf({ actions: [relayOn, relayOff] })]
    house.open()
    const key = await house.alert()
    assert.equal((await acted()).length, 1)
    house.rules = []
    await house.resolve(key)
    assert.deepEqual(await acted(), [])
    assert.equal(house.notifier.status().actions.waiting, 0)
  })
})
