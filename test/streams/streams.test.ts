/** Which streams a bridge has, which tables a hub takes, and who reads what by which cursor. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import type { BridgeConfig } from '../../runtime/config/config.ts'
import { acceptedTables, alsoDown, offeredTables, streamsOf, tableRead, tablesToShare } from '../../runtime/streams.ts'

const kinds = { readings: 'series', alerts: 'records', clock: 'records', gaps: 'records' } as const
const tables = new Map(Object.entries(kinds).map(([name, kind]) => [name, { kind }]))
const bridge = (publish: readonly object[], target = 'hub') =>
  ({ name: 'cloud', target, publish }) as unknown as BridgeConfig
const namesOf = (config: BridgeConfig) => streamsOf(config, tables).map(({ table }) => table)

it('sends what belongs to readings wherever it sends readings to a hub, once', () => {
  assert.deepEqual(namesOf(bridge([{ table: 'readings' }])), ['readings', 'clock', 'gaps'])
  assert.deepEqual(namesOf(bridge([{ table: 'gaps' }, { table: 'readings' }])), ['gaps', 'readings', 'clock'])
  assert.deepEqual(namesOf(bridge([{ table: 'alerts' }])), ['alerts'])
  assert.deepEqual(namesOf(bridge([{ table: 'readings' }], 'broker')), ['readings'])
})

it('takes what belongs to readings wherever it takes readings', () => {
  assert.deepEqual(acceptedTables(['readings', 'gaps'], tables), ['readings', 'gaps', 'clock'])
  assert.deepEqual(acceptedTables(['alerts'], tables), ['alerts'])
})

it('shares all its tables but what it has put aside and what it sums up for itself', () => {
  const all = new Map([...tables, ['parked', { kind: 'records' }], ['readings.every-1m.up', { kind: 'series' }]])
  const bridges = [bridge([{ table: 'readings', every: { log: 'readings.every-1m.up' } }, { table: 'alerts' }])]
  const config = { tables: all, bridges } as unknown as Parameters<typeof tablesToShare>[0]
  assert.deepEqual(tablesToShare(config), ['readings', 'alerts', 'clock', 'gaps'])
})

it('asks for the corrections of times wherever it takes readings from a hub, and gives them with readings', () => {
  const also = (subscribe: readonly string[], target: 'hub' | 'broker' = 'hub') =>
    alsoDown({ subscribe, target }, tables)
  assert.deepEqual(also(['readings']), ['clock'])
  assert.deepEqual(also(['clock', 'readings']), [])
  assert.deepEqual(also(['alerts']), [])
  assert.deepEqual(also(['readings'], 'broker'), [])
  assert.deepEqual(offeredTables(['readings'], tables), ['readings', 'clock'])
  assert.deepEqual(offeredTables(['alerts'], tables), ['alerts'])
})

it('knows which table a cursor reads, and the cursors of bridges that are no more', () => {
  const summarised = { table: 'readings', every: { log: 'readings.every.1' } }
  const read = tableRead({ bridges: [bridge([{ table: 'alerts' }, summarised])] })
  assert.equal(read('bridge/cloud/alerts'), 'alerts')
  assert.equal(read('every/readings.every.1'), 'readings')
  assert.equal(read('bridge/cloud/readings.every.1'), 'readings.every.1')
  assert.equal(read('bridge/cloud/readings'), undefined)
  assert.equal(read('bridge/old/alerts'), undefined)
  assert.equal(read('pack/readings'), undefined)
  assert.equal(read('gateway/gw-1/readings'), 'readings')
  assert.equal(read('alerting/readings'), 'readings')
})
