import assert from 'node:assert/strict'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { parseRules } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { type Place, diskPlace, memoryPlace } from '../store/homes.ts'
import { arrival, collect, startMs } from '../store/suite.ts'
import { until } from './until.ts'

function rules(text: string): readonly Rule[] {
  const parsed = parseRules([{ file: 'test.yaml', text: `groups:\n  - name: g\n    rules:\n${text}` }])
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.problems))
  return parsed.rules
}

const warm = rules(
  '      - { alert: Warm, match: { metric: temperature }, above: { key: "{device}/{metric}", default: 8 }, clear: 7 }',
)
const held = rules('      - { alert: Held, match: { metric: temperature }, above: 8, for: 10m }')

describe('alerting', () => {
  let place: Place
  let store: Store
  let alerting: Alerting
  let nowMs: number
  beforeEach(async () => {
    place = memoryPlace()
    nowMs = startMs
    await open()
  })
  afterEach(async () => {
    await alerting.close()
    await store.close()
    place.remove()
  })
  async function open(): Promise<void> {
    store = await place.open()
    alerting = new Alerting({ store, now: () => nowMs, log: silentLog, graceMs: 0 })
  }
  async function restart(): Promise<void> {
    await alerting.close()
    await store.close()
    await open()
  }
  /** Ends as a crash does: what was not committed is gone. */
  async function crash(): Promise<void> {
    const saved = new Map(store.states('alerting'))
    const cursor = store.cursor('alerting/readings')
    await alerting.close()
    await store.close()
    store = await place.open()
    const changes = [...store.states('alerting').keys()].map(
      key => ({ kind: 'state', owner: 'alerting', key, value: saved.get(key) }) as const,
    )
    await store.commit([...changes, { kind: 'cursor', name: 'alerting/readings', seq: cursor as never }])
    alerting = new Alerting({ store, now: () => nowMs, log: silentLog, graceMs: 0 })
  }
  async function send(...readings: Partial<Arrival>[]): Promise<void> {
    for (const fields of readings) {
      nowMs = fields.arrivalMs ?? nowMs + 1000
      await store.commit([
        { kind: 'append', table: 'readings', readings: [arrival({ arrivalMs: nowMs, unit: undefined, ...fields })] },
      ])
    }
  }
  const alerts = async (): Promise<AlertRow[]> =>
    (await collect(store.rows('alerts'))).map(row => row.value as unknown as AlertRow)
  const raised = (count: number): Promise<void> => until(async () => (await alerts()).length === count)

  it('raises one alert with the readings of the minute before it, and resolves the same row', async () => {
    await alerting.use(warm)
    await send(
      ...Array.from({ length: 100 }, (_, index) => ({ value: index / 20 })),
      { metric: 'door', value: true },
      { value: 9.5 },
    )
    await raised(1)
    const [alert] = await alerts()
    assert.deepEqual(
      [alert?.state, alert?.value, alert?.threshold, alert?.threshold_source],
      ['firing', 9.5, 8, 'default'],
    )
    const { snippet } = alert as AlertRow
    assert.equal(snippet?.to_ms, nowMs)
    assert.equal((snippet?.to_ms ?? 0) - (snippet?.from_ms ?? 0), 60_000)
    assert.deepEqual(
      snippet?.series.map(series => [series.metric, series.points.length]),
      [
        ['temperature', 60],
        ['door', 1],
      ],
    )
    await send({ value: 7.5 }, { value: 8.5 }, { value: 7 })
    await until(async () => (await alerts())[0]?.state === 'resolved')
    const [ended] = await alerts()
    assert.deepEqual([ended?.resolved_value, ended?.snippet], [7, snippet])
    assert.equal((await alerts()).length, 1, 'between clear and limit nothing new is raised')
  })

  it('compares with the row of the thresholds table that is in force, and names the version that fired', async () => {
    await alerting.use(warm)
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: 20 }])
    await send({ value: 19 })
    await store.commit([{ kind: 'put', table: 'thresholds', key: 'freezer-1/temperature', value: 18 }])
    const stamp = store.latest('thresholds', 'freezer-1/temperature')?.stamp
    await until(() => store.cursor('alerting/readings') !== undefined)
    await send({ value: 19 })
    await raised(1)
    const [alert] = await alerts()
    assert.deepEqual(
      [alert?.threshold, alert?.threshold_stamp, alert?.threshold_source],
      [18, stamp, { table: 'thresholds', key: 'freezer-1/temperature' }],
    )
  })

  it('fires a hold of 10 minutes at minute 10, though it was restarted at minute 7 and no reading came since', async () => {
    await alerting.use(held)
    await send({ value: 9 })
    const sinceMs = nowMs
    await until(() => alerting.status().pending === 1)
    nowMs = sinceMs + 7 * 60_000
    await restart()
    await alerting.use(held)
    assert.equal(alerting.status().pending, 1)
    assert.equal((await alerts()).length, 0)
    nowMs = sinceMs + 10 * 60_000
    await send({ device: 'another', value: 1, arrivalMs: nowMs })
    await raised(1)
    const [alert] = await alerts()
    assert.deepEqual([alert?.since_ms, alert?.fired_ms, alert?.value], [sinceMs, sinceMs + 10 * 60_000, 9])
  })

  it('lets a reading that was taken before a deadline count before it, though the disk is slow', async () => {
    await alerting.close()
    await store.close()
    store = await place.open({ commitIntervalMs: 60_000 })
    alerting = new Alerting({ store, now: () => nowMs, log: silentLog, graceMs: 0 })
    await alerting.use(held)
    const sinceMs = nowMs
    const bad = arrival({ value: 9, arrivalMs: sinceMs, unit: undefined })
    await store.commit([{ kind: 'append', table: 'readings', readings: [bad] }], 'now')
    await until(() => alerting.status().pending === 1)
    await alerting.close()
    const good = arrival({ value: 5, arrivalMs: sinceMs + 9 * 60_000, unit: undefined })
    const waiting = store.commit([{ kind: 'append', table: 'readings', readings: [good] }])
    nowMs = sinceMs + 11 * 60_000
    alerting = new Alerting({ store, now: () => nowMs, log: silentLog, graceMs: 0 })
    await alerting.use(held)
    await waiting
    await until(() => alerting.status().pending === 0)
    assert.deepEqual(await alerts(), [])
  })

  it('judges a device that has lost its clock and says 1970', async () => {
    await alerting.use(warm)
    await send({ value: 5, deviceTimeMs: startMs }, { value: 9, deviceTimeMs: 12_345 })
    await raised(1)
    assert.equal(alerting.status().late, 0)
  })

  it('comes to the same alerts when a crash makes it judge readings again', async () => {
    await alerting.use(warm)
    await send({ value: 9 }, { value: 5 })
    await until(async () => (await alerts())[0]?.state === 'resolved')
    const before = await alerts()
    await crash()
    await send({ value: 6 })
    await alerting.use(warm)
    await send({ value: 10 })
    await raised(2)
    assert.deepEqual((await alerts()).slice(0, 1), before)
  })

  it('holds a snippet from before a restart', async () => {
    await alerting.use(warm)
    await send({ value: 1 }, { value: 2 }, { value: 3 })
    await restart()
    await alerting.use(warm)
    await send({ value: 30 })
    await raised(1)
    assert.deepEqual(
      (await alerts())[0]?.snippet?.series[0]?.points.map(point => point[1]),
      [1, 2, 3, 30],
    )
  })

  it('keeps an alert of yesterday, filled in after newer readings, as late', async () => {
    await alerting.use(warm)
    await send(
      { value: 5, deviceTimeMs: startMs },
      { value: 99, deviceTimeMs: startMs - 86_400_000 },
      { value: 6, deviceTimeMs: startMs + 9000 },
    )
    await until(() => alerting.status().late === 1)
    await raised(1)
    const [alert] = await alerts()
    assert.deepEqual(
      [alert?.late, alert?.value, alert?.fired_ms, alert?.snippet?.to_ms],
      [true, 99, startMs - 86_400_000, startMs - 86_400_000],
      'a row of the history, on the own time of what came late',
    )
  })

  it('judges nothing that was stored before a table had rules', async () => {
    await send({ value: 99 })
    await alerting.use(warm)
    await send({ value: 5 }, { value: 9 })
    await raised(1)
    assert.equal((await alerts())[0]?.value, 9)
  })

  it('ends the alert of a rule that is taken away or means something else, and says why', async () => {
    await alerting.use(warm)
    await send({ value: 9 })
    await raised(1)
    await alerting.use(rules('      - { alert: Warm, match: { metric: temperature }, above: 5 }'))
    const [alert] = (await alerts()) as (AlertRow & { resolved_reason: string })[]
    assert.deepEqual([alert?.state, alert?.resolved_reason], ['resolved', 'rule changed'])
    await send({ value: 6 })
    await raised(2)
    await alerting.use([])
    assert.deepEqual(
      (await alerts()).map(row => row.state),
      ['resolved', 'resolved'],
    )
    const ofRules = [...store.states('alerting').keys()].filter(key => !key.startsWith('\0'))
    assert.deepEqual(ofRules, [])
  })
})

describe('alerting on disk', () => {
  it('keeps the alert, its state and its cursor in one commit', async () => {
    const place = diskPlace()
    const store = await place.open()
    const commits: string[][] = []
    const watched = new Proxy(store, {
      get(target, name) {
        if (name === 'commit') {
          return (changes: Parameters<Store['commit']>[0], urgency: Parameters<Store['commit']>[1]) => {
            commits.push(changes.map(change => (change.kind === 'put' ? `put ${change.table}` : change.kind)))
            return target.commit(changes, urgency)
          }
        }
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    const alerting = new Alerting({ store: watched, now: () => startMs, log: silentLog, graceMs: 0 })
    await alerting.use(warm)
    await store.commit([{ kind: 'append', table: 'readings', readings: [arrival({ value: 9 })] }])
    await until(() => alerting.status().raised === 1)
    assert.deepEqual(
      commits.find(kinds => kinds.includes('put alerts')),
      ['put alerts', 'state', 'state', 'cursor'],
      'the state of the rule, and how late the series is',
    )
    await alerting.close()
    await store.close()
    place.remove()
  })
})
