/** What rules record, and what they remember: the same over restarts and crashes, and of what is stored alone. */
import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type ReadingEntry, seqZero, timeOf } from '../../runtime/store/types.ts'
import { type Step, crashedEverywhere } from './crashes.ts'
import { Rig, rules } from './rig.ts'

const minuteMs = 60_000
const twice = '      - { record: twice, match: { metric: temperature }, expr: "value * 2.0", into: derived }\n'
const mean = '      - { record: mean, match: { metric: temperature }, expr: "avg(1m)", interval: 10s, into: derived }\n'

describe('recordings', () => {
  let rig: Rig
  beforeEach(async () => {
    rig = await new Rig().open()
  })
  afterEach(() => rig.end())
  const recorded = async (table = 'derived'): Promise<ReadingEntry[]> =>
    (await rig.store.read(table, seqZero, 100_000)).filter(entry => entry.kind === 'reading')
  const values = async (table?: string): Promise<unknown> => (await recorded(table)).map(({ value }) => value)
  const restart = async (): Promise<void> => {
    await rig.close()
    await rig.open()
  }

  it('are readings of a new series, with the time of the reading that they were made of', async () => {
    await rig.alerting.use(rules(twice))
    const deviceTimeMs = rig.nowMs - 5_000
    await rig.send({ value: 1 }, { value: 3, deviceTimeMs })
    await rig.alerting.settled()
    const made = await recorded()
    assert.deepEqual(
      made.map(entry => [entry.series.device, entry.series.metric, entry.value, timeOf(entry)]),
      [
        ['freezer-1', 'twice', 2, rig.nowMs - 1_000],
        ['freezer-1', 'twice', 6, deviceTimeMs],
      ],
    )
    assert.equal(rig.alerting.status().recorded, 2)
  })

  it('are judged by other rules, of the same table and of another', async () => {
    await rig.alerting.use(
      rules(
        `${twice}      - { alert: TwiceHigh, match: { table: derived, metric: twice }, above: 8 }\n` +
          '      - { record: double, match: { metric: temperature }, expr: "value * 2.0" }\n' +
          '      - { alert: DoubleHigh, match: { metric: double }, above: 8 }\n',
      ),
    )
    await rig.send({ value: 20 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => [row.rule, row.value]),
      [
        ['DoubleHigh', 40],
        ['TwiceHigh', 40],
      ],
    )
  })

  it('go on after a restart from windows that are read again from the store', async () => {
    const all = rules(
      `${mean}      - { record: jump, match: { metric: temperature }, expr: "value - previous()", into: derived }\n`,
    )
    rig.nowMs = Math.ceil(rig.nowMs / minuteMs) * minuteMs
    await rig.alerting.use(all)
    await rig.send({ value: 1 }, { value: 2 })
    await restart()
    await rig.alerting.use(all)
    await rig.send({ value: 6 })
    rig.nowMs += 7_000
    await rig.alerting.settled()
    assert.deepEqual(await values(), [1, 4, 3])
  })

  it('are written at their moments too, also those that passed while the gateway was off', async () => {
    const count = rules(
      '      - { record: heard, match: { metric: temperature }, per: all, expr: "count(5m)", interval: 1m, into: derived }\n',
    )
    rig.nowMs = Math.ceil(rig.nowMs / minuteMs) * minuteMs
    await rig.alerting.use(count)
    await rig.send({ value: 1 })
    await rig.alerting.settled()
    rig.nowMs += 2 * minuteMs
    await rig.alerting.settled()
    await restart()
    rig.nowMs += 2 * minuteMs
    await rig.alerting.use(count)
    await rig.alerting.settled()
    assert.deepEqual(
      (await recorded()).slice(-4).map(entry => [entry.arrivalMs % minuteMs, entry.value]),
      [
        [0, 1],
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    )
  })

  it('come out the same, each once, wherever the gateway is cut off', async () => {
    const steps: Step[] = Array.from({ length: 12 }, (_, index) => ({
      afterMs: index * 7_000,
      reading: { value: (index * 7) % 11 },
    }))
    const all = rules(
      `${mean}      - { record: jump, match: { metric: temperature }, expr: "value - previous()", into: derived }\n` +
        '      - { record: heard, match: { metric: temperature }, expr: "count(30s)", interval: 10s, into: derived }\n' +
        '      - { alert: MeanHigh, match: { table: derived, metric: mean }, above: 5, for: 5s }\n',
    )
    const { derived, alerts, cuts } = await crashedEverywhere(all, [...steps, { afterMs: 5 * minuteMs }])
    assert.ok(cuts > 12 && alerts.length > 0, `${cuts} cuts, ${alerts.length} alerts`)
    assert.ok(derived.length > 30)
  })

  it('never keep an alert back: on a full disk they are left out, and counted', async () => {
    await rig.alerting.close()
    const { store } = rig
    const full = new Proxy(store, {
      get(target, name) {
        if (name === 'commit')
          return (...given: Parameters<Store['commit']>) =>
            given[0].some(({ kind }) => kind === 'append')
              ? Promise.reject(new HoldfastError('STORE_FULL', 'full', 'free some space'))
              : target.commit(...given)
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    rig.alerting = new Alerting({ store: full, now: () => rig.nowMs, log: silentLog, graceMs: 0 })
    await rig.alerting.use(rules(`${twice}      - { alert: Warm, match: { metric: temperature }, above: 8 }\n`))
    await rig.send({ value: 9 }, { value: 10 })
    await rig.alerting.settled()
    assert.deepEqual(
      (await rig.alerts()).map(row => row.value),
      [9],
    )
    assert.deepEqual([await values(), rig.alerting.status().unrecorded], [[], 2])
  })
})
