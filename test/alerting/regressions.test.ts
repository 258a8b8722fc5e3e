/** Bugs of alerting that escaped once, each as one sentence of what must hold. */
import assert from 'node:assert/strict'
import { getEventListeners } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { parseRules } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { Rulebook } from '../../runtime/alerting/rulebook.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { memoryPlace } from '../store/homes.ts'
import { arrival, collect, startMs } from '../store/suite.ts'
import { until } from './until.ts'

const fileOf = (text: string): string => `groups:\n  - name: g\n    rules:\n${text}`

function rules(text: string): readonly Rule[] {
  const parsed = parseRules([{ file: 'test.yaml', text: fileOf(text) }])
  assert.ok(parsed.ok)
  return parsed.rules
}

const warm = rules('      - { alert: Warm, match: { metric: temperature }, above: 8 }')

type Doors = Pick<Store, 'commit' | 'query' | 'ready' | 'waitPast'>

/** The store with some of its doors replaced. */
function replaced(store: Store, doors: Partial<Doors>): Store {
  return new Proxy(store, {
    get(target, name) {
      const value = (name in doors ? doors[name as keyof Doors] : Reflect.get(target, name)) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}

describe('alerting', () => {
  let store: Store
  let alerting: Alerting
  let nowMs: number
  beforeEach(async () => {
    store = await memoryPlace().open()
    nowMs = startMs
    alerting = over({})
  })
  afterEach(async () => {
    await alerting.close()
    await store.close()
  })
  const over = (doors: Partial<Doors>): Alerting =>
    new Alerting({ store: replaced(store, doors), now: () => nowMs, log: silentLog, graceMs: 0 })
  async function send(...readings: Partial<Arrival>[]): Promise<void> {
    for (const fields of readings) {
      nowMs += 1000
      const reading = arrival({ arrivalMs: nowMs, ...fields })
      await store.commit([{ kind: 'append', table: 'readings', readings: [reading] }])
    }
  }
  /** Takes the lazy commits along. */
  const saveAll = () => store.commit([{ kind: 'put', table: 'thresholds', key: 'tick', value: nowMs }], 'now')
  const alerts = async (): Promise<AlertRow[]> =>
    (await collect(store.rows('alerts'))).map(row => row.value as unknown as AlertRow)
  const raised = (count: number): Promise<void> => until(async () => (await alerts()).length === count)
  const judgedAll = (): Promise<void> =>
    until(async () => {
      await saveAll()
      nowMs += 3000
      return store.cursor('alerting/readings') === store.head('readings')
    })

  it('raises the alert of a device whose name has to be escaped throughout, and those of all others after it', async () => {
    await alerting.use(rules('      - { alert: Any, above: 8 }'))
    const name = '%'.repeat(128)
    await send({ device: name, metric: name, value: 9 }, { device: 'honest', value: 9 })
    await raised(2)
  })

  it('judges nothing of the time in which a table had no rules, though it had some before', async () => {
    await alerting.use(warm)
    await send({ value: 1 })
    await alerting.use([])
    await send({ value: 20 }, { value: 1 }, { value: 20 }, { value: 1 })
    await alerting.use(warm)
    await send({ value: 9 })
    await raised(1)
    assert.equal((await alerts())[0]?.value, 9)
  })

  it('knows after a reload which readings are late', async () => {
    await alerting.use(warm)
    await send({ value: 1, deviceTimeMs: startMs })
    await judgedAll()
    await alerting.use(warm)
    await send({ value: 99, deviceTimeMs: startMs - 86_400_000 })
    await until(() => alerting.status().late === 1)
    await send({ value: 9 })
    await raised(2)
    assert.deepEqual(
      (await alerts()).map(({ value, late }) => [value, late]),
      [
        [99, true],
        [9, false],
      ],
    )
  })

  it('holds a reading against the last that was not late, however many of others and how much history lie between', async () => {
    const stepped = rules('      - { alert: Stepped, match: { metric: temperature }, expr: "delta() > 4" }')
    await alerting.use(stepped)
    await send({ value: 1, deviceTimeMs: startMs })
    for (let day = 1; day <= 3; day++) await send({ value: 50, deviceTimeMs: startMs - day * 86_400_000 })
    await alerting.settled()
    await alerting.close()
    const other = arrival({ device: 'another', metric: 'pressure', arrivalMs: nowMs })
    await store.commit([{ kind: 'append', table: 'readings', readings: Array.from({ length: 17_000 }, () => other) }])
    alerting = over({})
    await alerting.use(stepped)
    await send({ value: 9, deviceTimeMs: nowMs })
    await alerting.settled()
    assert.deepEqual(
      (await alerts()).map(({ value }) => value),
      [9],
    )
  })

  it('never moves its cursor past a hold whose state could not be saved', async () => {
    let failSave: (() => void) | undefined
    let goOn = (): void => undefined
    const held = new Promise<void>(resolve => {
      goOn = resolve
    })
    await alerting.close()
    alerting = over({
      commit: (changes, urgency) =>
        urgency === 'lazy' && !failSave
          ? new Promise((_, reject) => {
              failSave = () => reject(new Error('EIO'))
            })
          : store.commit(changes, urgency),
      async *query(table, query) {
        await held
        yield* store.query(table, query)
      },
    })
    await alerting.use(
      rules(
        '      - { alert: Held, match: { metric: temperature }, above: 8, for: 10m }\n' +
          '      - { alert: Door, match: { metric: door }, above: 0 }',
      ),
    )
    await send({ value: 9 })
    await until(() => failSave !== undefined)
    await send({ metric: 'door', value: 1 })
    await sleep(20)
    failSave?.()
    await sleep(20)
    goOn()
    await raised(1)
    nowMs += 600_000
    await send({ device: 'another', value: 1 })
    await raised(2)
    assert.deepEqual((await alerts()).map(alert => alert.rule).toSorted(), ['Door', 'Held'])
  })

  it('puts rules in force once the store can write again', async () => {
    await alerting.close()
    let isDown = true
    alerting = over({
      commit: (changes, urgency) =>
        isDown ? Promise.reject(new HoldfastError('STORE_FAILED', 'down')) : store.commit(changes, urgency),
    })
    const inForce = alerting.use(warm)
    await sleep(20)
    isDown = false
    await inForce
    await send({ value: 9 })
    await raised(1)
  })

  it('ends while it waits for a store that cannot write', async () => {
    await alerting.close()
    alerting = over({ commit: () => Promise.reject(new HoldfastError('STORE_FAILED', 'down')) })
    const inForce = alerting.use(warm)
    await sleep(20)
    await alerting.close()
    await inForce
  })

  it('leaves no listeners behind while a store is down', async () => {
    await alerting.close()
    let stop: AbortSignal | undefined
    let isDown = false
    let tries = 0
    alerting = over({
      ready: () => (isDown && ++tries ? Promise.reject(new HoldfastError('STORE_FAILED', 'down')) : store.ready()),
      waitPast(table, seq, signal) {
        stop ??= signal
        return isDown ? Promise.reject(new HoldfastError('STORE_FAILED', 'down')) : store.waitPast(table, seq, signal)
      },
    })
    await alerting.use(warm)
    await until(() => stop !== undefined)
    isDown = true
    await send({ value: 1 })
    await until(() => tries >= 3)
    assert.ok(stop && getEventListeners(stop, 'abort').length <= 1)
  })

  it('saves its place though the clock was set back', async () => {
    await alerting.use(warm)
    await send({ value: 1 })
    await judgedAll()
    nowMs -= 86_400_000
    await send({ value: 1 }, { value: 1 }, { value: 1 })
    await until(async () => {
      await saveAll()
      return (store.cursor('alerting/readings') ?? 0) > 1
    })
  })
})

it('leaves the running rules in force when a file speaks of a table that is not there, or is of the wrong kind', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
  const told: number[] = []
  const write = (rule: string): void => writeFileSync(join(folder, 'a.yaml'), fileOf(`      - ${rule}`))
  write('{ alert: Warm, above: 8 }')
  const tables = new Map([
    ['readings', { kind: 'series' }],
    ['thresholds', { kind: 'records' }],
  ] as const)
  const alerts = { raise: () => undefined, resolve: () => undefined }
  const changed = (inForce: readonly Rule[]): unknown => told.push(inForce.length)
  const kept = { read: () => [], keep: () => undefined }
  const book = new Rulebook({ folder, zone: 'UTC', tables, log: silentLog, alerts, kept, changed })
  for (const rule of [
    '{ alert: Warm, match: { table: nope }, above: 8 }',
    '{ alert: Warm, match: { table: thresholds }, above: 8 }',
    '{ alert: Warm, above: { table: nope, key: x } }',
    '{ alert: Warm, above: 8, snippet: { tables: [nope] } }',
  ]) {
    write(rule)
    assert.equal(book.reload(), false)
    assert.match(book.status().problems.join(), /alert "Warm"/)
  }
  assert.deepEqual(told, [1])
  rmSync(folder, { recursive: true })
})
