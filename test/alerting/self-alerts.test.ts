/** Alerts that a gateway raises on itself: one open row for a name, whatever happens in between. */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, it } from 'node:test'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { Rulebook } from '../../runtime/alerting/rulebook.ts'
import { SelfAlerts, type SelfAlert } from '../../runtime/alerting/self-alerts.ts'
import { HoldfastError } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { Rig } from './rig.ts'

const hot: SelfAlert = { severity: 'warning', text: 'the board is hot', part: 'board' }

describe('alerts on the gateway itself', () => {
  let rig: Rig
  let alerts: SelfAlerts
  beforeEach(async () => {
    rig = await new Rig().open()
    alerts = open(rig.store)
  })
  afterEach(async () => {
    await alerts.close()
    await rig.end()
  })
  const open = (store: Store): SelfAlerts => new SelfAlerts({ store, now: () => rig.nowMs, log: silentLog })
  async function restart(): Promise<void> {
    await alerts.close()
    await rig.close()
    await rig.open()
    alerts = open(rig.store)
  }
  const rows = async (): Promise<AlertRow[]> => {
    await alerts.settled()
    return rig.alerts()
  }

  it('raises one row of the form that all alerts have, and resolves the same row', async () => {
    alerts.raise('Hot', { ...hot, details: { celsius: '91' } })
    const [row] = await rows()
    assert.deepEqual(
      [row?.rule, row?.group, row?.device, row?.metric, row?.severity, row?.state],
      ['holdfast.Hot', 'holdfast', rig.store.origin, 'board', 'warning', 'firing'],
    )
    assert.deepEqual(row?.annotations, { summary: 'the board is hot', celsius: '91' })
    rig.nowMs += 60_000
    alerts.resolve('Hot')
    assert.deepEqual(await rows(), [{ ...row, state: 'resolved', resolved_ms: rig.nowMs }])
  })

  it('writes nothing when the same is said again, also after a restart; another text goes into the open row', async () => {
    alerts.resolve('Hot')
    alerts.raise('Hot', hot)
    await alerts.settled()
    const head = rig.store.head('alerts')
    alerts.raise('Hot', hot)
    await restart()
    rig.nowMs += 60_000
    alerts.raise('Hot', hot)
    await alerts.settled()
    assert.equal(rig.store.head('alerts'), head)
    alerts.raise('Hot', { ...hot, text: 'the board is very hot' })
    assert.deepEqual(
      (await rows()).map(row => [row.state, row.annotations['summary']]),
      [['firing', 'the board is very hot']],
    )
    await restart()
    alerts.resolve('Hot')
    alerts.resolve('Hot')
    assert.deepEqual(
      (await rows()).map(row => row.state),
      ['resolved'],
    )
    assert.deepEqual([...rig.store.states('self-alerts')], [])
  })

  it('begins a row of its own for each time that it happens, also within one millisecond', async () => {
    for (let time = 0; time < 3; time++) {
      alerts.raise('Hot', hot)
      await alerts.settled()
      alerts.resolve('Hot')
      await alerts.settled()
    }
    assert.equal((await rows()).length, 3)
  })

  it('writes when the store can, and of several words about one name the last', async () => {
    await alerts.close()
    let isFull = true
    const full = new Proxy(rig.store, {
      get(target, name) {
        if (name === 'commit' && isFull) return () => Promise.reject(new HoldfastError('STORE_FAILED', 'no', 'wait'))
        const value = Reflect.get(target, name) as unknown
        return typeof value === 'function' ? (value.bind(target) as unknown) : value
      },
    })
    alerts = open(full)
    alerts.raise('Hot', hot)
    alerts.raise('Cold', { ...hot, text: 'cold' })
    await new Promise(resolve => setImmediate(resolve))
    alerts.resolve('Cold')
    alerts.raise('Hot', { ...hot, text: 'hotter' })
    isFull = false
    assert.deepEqual(
      (await rows()).map(row => [row.rule, row.annotations['summary']]),
      [['holdfast.Hot', 'hotter']],
    )
  })

  it('notes an acknowledgement in the row, also one that was given while the gateway was off', async () => {
    alerts.raise('Hot', hot)
    alerts.raise('Wet', hot)
    await alerts.settled()
    const [hotKey, wetKey] = await keys()
    const put = (key: string, value: { by: string; acked_ms: number }) =>
      rig.store.commit([{ kind: 'put', table: 'acks', key, value }], 'now')
    await put(hotKey ?? '', { by: 'ann', acked_ms: 5 })
    await alerts.close()
    await put(wetKey ?? '', { by: 'bob', acked_ms: 6 })
    await restart()
    assert.deepEqual(
      (await rows()).map(row => [row.acked_by, row.acked_ms, row.state]),
      [
        ['ann', 5, 'firing'],
        ['bob', 6, 'firing'],
      ],
    )
  })
  const keys = async (): Promise<string[]> => {
    const found: string[] = []
    for await (const row of rig.store.rows('alerts')) found.push(row.key)
    return found
  }

  it('tells of rule files with faults where they are wrong, and that they are good again', async () => {
    const folder = mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
    const write = (text: string): void => writeFileSync(join(folder, 'a.yaml'), text)
    const good = 'groups:\n  - name: g\n    rules:\n      - { alert: Warm, above: 8 }\n'
    write(good)
    const told: number[] = []
    const book = new Rulebook({
      folder,
      zone: 'UTC',
      tables: rig.store.tables,
      log: silentLog,
      alerts,
      kept: { read: () => [], keep: () => undefined },
      changed: rules => told.push(rules.length),
    })
    assert.deepEqual(await rows(), [])
    write(good.replace('above', 'abov'))
    assert.equal(book.reload(), false)
    const [row] = await rows()
    assert.deepEqual([row?.rule, row?.metric, told], ['holdfast.RulesInvalid', 'rules', [1]])
    assert.match(row?.annotations['summary'] ?? '', /the rules read before stay in force/)
    assert.match(row?.annotations['problems'] ?? '', /a\.yaml:4:\d+.*abov/)
    assert.equal(row?.annotations['count'], String(book.status().problems.length))
    write(good)
    assert.equal(book.reload(), true)
    assert.deepEqual(
      (await rows()).map(({ state }) => state),
      ['resolved'],
    )
    rmSync(folder, { recursive: true })
  })
})
