import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { test } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { DamageTold } from '../../runtime/alerting/damage-told.ts'
import { SelfAlerts } from '../../runtime/alerting/self-alerts.ts'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import type { TableSpec } from '../../runtime/store/types.ts'
import { testStamps } from '../store/homes.ts'
import { arrival, collect } from '../store/suite.ts'

const tables: readonly TableSpec[] = [
  { name: 'readings', kind: 'series' },
  { name: 'alerts', kind: 'records' },
  { name: 'acks', kind: 'records' },
  { name: 'gaps', kind: 'records' },
]

test('damage is told once, in rows of gaps and in an alert, which stays until somebody has seen it', async t => {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-told-'))
  t.after(() => rmSync(path, { recursive: true, force: true }))
  let nowMs = 1_700_000_000_000
  const open = (): Promise<Store> =>
    Store.open({
      path,
      tables,
      stamps: testStamps(() => nowMs),
      origin: 'gw-1',
      commitIntervalMs: 0,
      ballastBytes: 1 << 20,
      monotonicMs: () => performance.now(),
      now: () => nowMs,
      log: silentLog,
    })
  const append = (store: Store) =>
    store.commit([{ kind: 'append', table: 'readings', readings: [arrival({ value: nowMs })] }])
  const before = await open()
  for (let count = 0; count < 10; count++) await append(before)
  await before.close()
  const log = join(path, 'db', readdirSync(join(path, 'db')).find(name => name.endsWith('.log')) as string)
  const bytes = readFileSync(log)
  bytes.fill(0x55, 0, bytes.length)
  cpSync(log, `${log}.whole`)
  writeFileSync(log, bytes)

  const told = async (work: (store: Store, damage: DamageTold) => Promise<void>): Promise<void> => {
    nowMs += 1_000
    const store = await open()
    const alerts = new SelfAlerts({ store, now: () => nowMs, log: silentLog })
    const damage = new DamageTold({ store, alerts, now: () => nowMs, log: silentLog })
    await damage.settled()
    await alerts.settled()
    await work(store, damage)
    await damage.close()
    await alerts.close()
    await store.close()
  }
  const rowsOf = async (store: Store, table: string) => (await collect(store.rows(table))).map(({ value }) => value)
  await told(async store => {
    const [alert, ...more] = (await rowsOf(store, 'alerts')) as unknown as AlertRow[]
    assert.deepEqual(
      [alert?.rule, alert?.severity, alert?.state, more.length],
      ['holdfast.StoreDamaged', 'critical', 'firing', 0],
    )
    assert.match(alert?.annotations['summary'] ?? '', /at least 10 entries are lost/)
    const [gap, ...others] = (await rowsOf(store, 'gaps')) as unknown as Record<string, unknown>[]
    assert.deepEqual(
      [gap?.['who'], gap?.['table'], gap?.['first'], gap?.['last'], gap?.['count'], gap?.['reason'], others.length],
      ['gw-1', 'readings', 1, 10, 10, 'damaged on disk', 0],
    )
  })
  await told(async (store, damage) => {
    assert.equal((await rowsOf(store, 'alerts')).length, 1, 'it is told again')
    assert.equal((await rowsOf(store, 'gaps')).length, 1)
    const key = (await collect(store.rows('alerts')))[0]?.key ?? ''
    const rowNow = (): AlertRow => store.latest('alerts', key)?.value as unknown as AlertRow
    const row = rowNow()
    const { commits } = store.status()
    damage.look()
    await damage.settled()
    assert.equal(store.status().commits, commits, 'what is told is written again')
    await store.health.verify()
    damage.look()
    await damage.settled()
    assert.equal(rowNow().state, 'firing', 'nobody has seen it')
    await store.commit([
      { kind: 'put', table: 'alerts', key, value: { ...row, acked_ms: nowMs, acked_by: 'me' } as never },
    ])
    damage.look()
    await damage.settled()
    await new Promise(resolve => setImmediate(resolve))
  })
  await told(async store => {
    const [alert] = (await rowsOf(store, 'alerts')) as unknown as AlertRow[]
    assert.equal(alert?.state, 'resolved')
  })
})
