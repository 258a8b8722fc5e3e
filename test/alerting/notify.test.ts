import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { HoldfastError } from '../../runtime/errors.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Change, Urgency } from '../../runtime/store/types.ts'
import { Notifying, alertOf, minuteMs, ruleOf } from './notifying.ts'

let house: Notifying
beforeEach(async () => {
  house = new Notifying()
  await house.openStore()
})
afterEach(() => house.close())

describe('a notifier', () => {
  it('tells once when an alert fires, is acknowledged, latched and resolved, and not when its row is written again', async () => {
    house.open()
    const key = await house.alert({ device: 'a+b' })
    await house.notifier.settled()
    const { topic, payload, qos, retain } = house.told[0] ?? assert.fail()
    assert.deepEqual([topic, qos, retain], ['holdfast/alerts/Warm/a_b/temperature', 1, false])
    const row = house.store.latest('alerts', key)?.value as object
    assert.deepEqual(JSON.parse(payload), { key, event: 'firing', notification: 1, ...row })
    await house.change(key, { snippet: { from_ms: 0, to_ms: 9, count: 0, series: [] } })
    await house.change(key, { acked_ms: house.nowMs, acked_by: 'anna' })
    await house.change(key, { state: 'latched' })
    await house.resolve(key)
    await house.change(key, { snippet: null })
    assert.deepEqual(await house.heard(), ['firing a+b 1', 'acknowledged a+b 1', 'latched a+b 1', 'resolved a+b 1'])
  })

  it('goes on after a restart where it was', async () => {
    house.open()
    const key = await house.alert()
    await house.notifier.settled()
    await house.restart()
    assert.equal((await house.heard()).length, 1)
    await house.resolve(key)
    await house.restart()
    assert.deepEqual(await house.heard(), ['resolved freezer-1 1'])
    await house.change(key, { snippet: null })
    assert.deepEqual(await house.heard(), [])
  })

  it('goes on where the announcer of an earlier version was: what fires was told already', async () => {
    const key = await house.alert()
    const ended = await house.alert({ device: 'b', state: 'resolved', resolved_ms: house.nowMs })
    await house.store.commit([{ kind: 'cursor', name: 'announcer/alerts', seq: house.store.head('alerts') }])
    house.rules = [ruleOf({ renotifyMs: 60 * minuteMs })]
    house.open()
    assert.deepEqual(await house.heard(), [])
    await house.change(key, { snippet: null })
    assert.deepEqual(await house.heard(), [])
    await house.passes(60 * minuteMs)
    await house.resolve(key)
    assert.deepEqual(await house.heard(), ['repeated freezer-1 2', 'resolved freezer-1 2'])
    assert.ok(ended)
  })

  it('never tells of late alerts, nor of those of others', async () => {
    house.rules = [ruleOf({ renotifyMs: minuteMs })]
    house.open()
    const late = await house.alert({ late: true })
    const record = {
      key: 'gw-2/Warm/x/y/1',
      value: alertOf() as unknown as Json,
      origin: 'gw-2',
      stamp: 1,
      joined: false,
    }
    await house.store.commit([
      { kind: 'apply-records', table: 'alerts', via: 'gw-2', records: [record as never] },
      { kind: 'put', table: 'alerts', key: 'by hand', value: 'junk' },
    ])
    await house.passes(10 * minuteMs)
    await house.resolve(late)
    assert.deepEqual(await house.heard(), [])
  })

  it('tells again every renotify while an alert fires and nobody has acknowledged it', async () => {
    house.rules = [ruleOf({ renotifyMs: 10 * minuteMs })]
    house.open()
    const key = await house.alert()
    await house.passes(9 * minuteMs)
    assert.deepEqual(await house.heard(), ['firing freezer-1 1'])
    // In the middle of it a restart, which neither forgets nor repeats.
    await house.restart()
    assert.deepEqual(await house.heard(), [])
    await house.passes(minuteMs)
    assert.deepEqual(await house.heard(), ['repeated freezer-1 2'])
    await house.restart()
    await house.passes(10 * minuteMs)
    assert.deepEqual(await house.heard(), ['repeated freezer-1 3'])
    await house.change(key, { acked_ms: house.nowMs, acked_by: 'anna' })
    await house.passes(60 * minuteMs)
    assert.deepEqual(await house.heard(), ['acknowledged freezer-1 3'])
    assert.deepEqual([house.notifier.status().announced, house.notifier.status().repeated], [2, 1])
  })

  it('takes renotify from the configuration where the rule has none, and is not lamed by a clock that is set back', async () => {
    house.options = { alerts: { renotifyMs: 10 * minuteMs, groupBy: [], groupWaitMs: 0 } }
    house.open()
    await house.alert()
    assert.equal((await house.heard()).length, 1)
    await house.passes(-365 * 24 * 60 * minuteMs)
    await house.passes(10 * minuteMs)
    assert.deepEqual(await house.heard(), ['repeated freezer-1 2'])
  })

  it('tells nobody while an alert is silenced, and tells what stands when the silence ends', async () => {
    house.rules = [ruleOf({ renotifyMs: minuteMs })]
    house.open()
    await house.silence('s-1', { device: 'freezer-*', labels: { site: 'ly*' } }, 60 * minuteMs)
    const key = await house.alert()
    const other = await house.alert({ device: 'oven' })
    const short = await house.alert({ device: 'freezer-2' })
    await house.passes(30_000)
    assert.deepEqual(await house.heard(), ['firing oven 1'])
    await house.resolve(short)
    await house.resolve(other)
    await house.restart()
    await house.passes(59 * minuteMs)
    assert.deepEqual(await house.heard(), ['resolved oven 1'])
    assert.equal(house.notifier.status().silences, 1)
    await house.passes(minuteMs)
    assert.deepEqual(await house.heard(), ['firing freezer-1 1'])
    assert.equal(house.notifier.status().silences, 0)
    await house.resolve(key)
    assert.deepEqual(await house.heard(), ['resolved freezer-1 1'])
  })

  it('tells the end of an alert whose beginning it has told, though it is silenced by then', async () => {
    house.rules = [ruleOf({ renotifyMs: minuteMs })]
    house.open()
    const key = await house.alert()
    assert.equal((await house.heard()).length, 1)
    await house.silence('s-1', {}, 60 * minuteMs)
    await house.passes(10 * minuteMs)
    assert.deepEqual(await house.heard(), [])
    await house.resolve(key)
    assert.deepEqual(await house.heard(), ['resolved freezer-1 1'])
  })

  it('tells at once what a silence held back that somebody takes away', async () => {
    house.open()
    await house.silence('s-1', {}, 60 * minuteMs)
    await house.alert()
    assert.deepEqual(await house.heard(), [])
    assert.equal(house.notifier.status().suppressed, 1)
    await house.store.commit([{ kind: 'delete', table: 'silences', key: 's-1' }])
    assert.deepEqual(await house.heard(), ['firing freezer-1 1'])
  })

  it('deletes silences that ended a week ago, unless its clock may be wrong', async () => {
    let isTimeTrusted = false
    house.options = { isTimeTrusted: () => isTimeTrusted }
    house.open()
    await house.silence('s-1', {}, minuteMs)
    await house.silence('s-2', {}, 30 * 24 * 60 * minuteMs)
    await house.passes(8 * 24 * 60 * minuteMs)
    assert.ok(house.store.latest('silences', 's-1'))
    isTimeTrusted = true
    await house.passes(60 * minuteMs)
    assert.deepEqual(
      [house.store.latest('silences', 's-1'), house.store.latest('silences', 's-2')?.key],
      [undefined, 's-2'],
    )
  })

  it('tries again when the broker takes nothing, and then tells each thing in its order', async () => {
    let fails = 2
    house.beforeTaking = () => {
      if (fails-- > 0) throw new Error('not now')
    }
    house.open()
    const key = await house.alert()
    await house.alert({ device: 'b' })
    await house.resolve(key)
    assert.deepEqual(await house.heard(), ['firing freezer-1 1', 'firing b 1', 'resolved freezer-1 1'])
  })

  it('begins again from what the store holds when a write fails, and forgets nothing', async () => {
    let failures = 1
    house.rules = [ruleOf({ renotifyMs: minuteMs })]
    house.options = {
      store: new Proxy(house.store, {
        get(target, name) {
          const value = Reflect.get(target, name) as unknown
          if (name !== 'commit') return typeof value === 'function' ? (value.bind(target) as unknown) : value
          return (changes: readonly Change[], urgency: Urgency) =>
            changes.some(({ kind }) => kind === 'cursor') && failures-- > 0
              ? Promise.reject(new HoldfastError('STORE_FAILED', 'the disk is away'))
              : target.commit(changes, urgency)
        },
      }),
    }
    house.open()
    const key = await house.alert()
    await house.resolve(key)
    const told = await house.heard()
    assert.deepEqual([told[0], told.at(-1)], ['firing freezer-1 1', 'resolved freezer-1 1'])
    assert.equal(failures < 1, true)
    assert.deepEqual(house.store.state('notifier', key), { endedMs: house.nowMs })
  })
})

describe('groups of alerts', () => {
  const heardOfGroups = async (): Promise<Json[]> => {
    await house.notifier.settled()
    const told = house.told.splice(0).filter(({ topic }) => topic.startsWith('holdfast/alert-groups/'))
    return told.map(({ topic, payload }): Json => {
      const { group, firing, resolved, counts } = JSON.parse(payload) as Record<string, Record<string, Json>[]>
      const devices = (rows: Record<string, Json>[] = []): Json[] => rows.map(row => row['device'] ?? null)
      assert.ok([...(firing ?? []), ...(resolved ?? [])].every(row => !('snippet' in row) && 'key' in row))
      return [
        topic.replace('holdfast/alert-groups/', ''),
        group ?? null,
        devices(firing),
        devices(resolved),
        counts ?? null,
      ]
    })
  }
  beforeEach(() => {
    house.options = { alerts: { renotifyMs: undefined, groupBy: ['alertname', 'site'], groupWaitMs: 10_000 } }
  })

  it('are told together after group_wait, then whenever they change', async () => {
    house.open()
    const group = { alertname: 'Warm', site: 'lyon' }
    const first = await house.alert({ device: 'a' })
    await house.passes(1_000)
    await house.alert({ device: 'b' })
    const brief = await house.alert({ device: 'brief' })
    const elsewhere = await house.alert({ device: 'c', device_labels: { site: 'a/b' } })
    await house.resolve(brief)
    await house.passes(8_999)
    assert.deepEqual(await heardOfGroups(), [])
    await house.passes(1)
    assert.deepEqual(await heardOfGroups(), [['Warm/lyon', group, ['a', 'b'], [], { firing: 2, resolved: 0 }]])
    await house.resolve(elsewhere)
    await house.passes(1_000)
    await house.resolve(first)
    assert.deepEqual(await heardOfGroups(), [['Warm/lyon', group, ['b'], ['a'], { firing: 1, resolved: 1 }]])
    const again = await house.alert({ device: 'd' })
    await house.passes(500)
    await house.alert({ device: 'e' })
    assert.deepEqual(await heardOfGroups(), [], 'not twice within a second')
    await house.passes(500)
    assert.deepEqual(await heardOfGroups(), [['Warm/lyon', group, ['b', 'd', 'e'], [], { firing: 3, resolved: 0 }]])
    await house.passes(60_000)
    await house.resolve(again)
    assert.deepEqual(await heardOfGroups(), [['Warm/lyon', group, ['b', 'e'], ['d'], { firing: 2, resolved: 1 }]])
  })

  it('outlive a restart: what was told is not told again, and what waits is not forgotten', async () => {
    house.open()
    const key = await house.alert({ device: 'a', device_labels: {} })
    await house.notifier.settled()
    await house.restart()
    await house.passes(10_000)
    const group = { alertname: 'Warm', site: '' }
    assert.deepEqual(await heardOfGroups(), [['Warm/_', group, ['a'], [], { firing: 1, resolved: 0 }]])
    await house.restart()
    await house.passes(60_000)
    assert.deepEqual(await heardOfGroups(), [])
    await house.resolve(key)
    assert.deepEqual(await heardOfGroups(), [['Warm/_', group, [], ['a'], { firing: 0, resolved: 1 }]])
    assert.equal(house.notifier.status().announced, 1)
  })
})
