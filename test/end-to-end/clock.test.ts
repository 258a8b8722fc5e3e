/**
 * Whole gateways in one process, over real MQTT, each with clocks of its own: the wall clock of the edge is in the hand
 * of the test. A third gateway, which knows the time, takes the readings from the hub.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, before, describe, it } from 'node:test'
import { connectAsync } from 'mqtt'
import type { MachineFacts } from '../../runtime/clock/trust.ts'
import { monotonicMs, wallMs } from '../../runtime/clock/wall.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { type Gateway, openGateway } from '../../runtime/gateway.ts'
import { silentLog } from '../../runtime/log.ts'
import type { ReadingEntry } from '../../runtime/store/types.ts'
import type { TimeDoors } from '../../runtime/time.ts'
import { stampMs, stampZero } from '../../runtime/stamp.ts'
import { until } from '../replication/rig.ts'
import { collect } from '../store/suite.ts'
import { freePort } from './programs.ts'

const nothing: MachineFacts = { service: undefined, hasBatteryClock: false }
const synchronised: MachineFacts = { service: { name: 'timesyncd', isSynchronised: true }, hasBatteryClock: false }

/** A machine whose wall clock shows too much, and that shows these facts. */
type Machine = { aheadMs: number; facts: MachineFacts }
const doorsOf = (machine: Machine, boot: string): TimeDoors => ({
  wallMs: () => wallMs() + machine.aheadMs,
  monotonicMs,
  boot: { id: boot, uptimeMs: 20_000 },
  facts: async () => machine.facts,
})

describe('an edge without a clock, and its hub', () => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-clock-'))
  const hubMachine: Machine = { aheadMs: 0, facts: nothing }
  const edgeMachine: Machine = { aheadMs: 30_000 - wallMs(), facts: nothing }
  let hub: Gateway
  let edge: Gateway
  let peer: Gateway

  const open = (name: string, text: string, time: TimeDoors): Promise<Gateway> => {
    const loaded = loadConfig(join(folder, `${name}.yaml`), text)
    assert.ok(loaded.ok, JSON.stringify(loaded))
    return openGateway(loaded.config, { log: silentLog, time })
  }
  const openHub = (port: number): Promise<Gateway> => {
    const text = `{gateway: {id: hub}, store: {path: ./hub}, hub: {listen: '127.0.0.1:${port}', offer: [readings, thresholds]}}`
    return open('hub', text, doorsOf(hubMachine, 'hub-boot'))
  }
  const openEdge = (boot: string, port = hub.addresses.hub[0]?.port): Promise<Gateway> => {
    const bridge = `{name: cloud, url: 'mqtt://127.0.0.1:${port}', publish: [readings, thresholds], subscribe: [thresholds]}`
    const store = 'store: {path: ./edge, commit_interval: 0}'
    const text = `{gateway: {id: edge}, ${store}, broker: {listen: '127.0.0.1:0'}, bridges: [${bridge}]}`
    return open('edge', text, doorsOf(edgeMachine, boot))
  }
  const openPeer = (): Promise<Gateway> => {
    const bridge = `{name: cloud, url: 'mqtt://127.0.0.1:${hub.addresses.hub[0]?.port}', subscribe: [readings]}`
    const text = `{gateway: {id: peer}, store: {path: ./peer}, bridges: [${bridge}]}`
    return open('peer', text, doorsOf({ aheadMs: 0, facts: synchronised }, 'peer-boot'))
  }
  before(async () => {
    hub = await openHub(0)
    edge = await openEdge('first')
    peer = await openPeer()
  })
  after(async () => {
    await edge.close()
    await peer.close()
    await hub.close()
    rmSync(folder, { recursive: true, force: true })
  })

  const publish = async (value: number): Promise<void> => {
    const client = await connectAsync(`mqtt://127.0.0.1:${edge.addresses.broker[0]?.port}`)
    await client.publishAsync('sensors/freezer-1/temperature', String(value), { qos: 1 })
    await client.endAsync()
  }
  const readingsAt = ({ store }: Gateway): Promise<ReadingEntry[]> => collect(store.query('readings', {}))
  const atHub = (): Promise<ReadingEntry[]> => readingsAt(hub)
  const isNow = ({ arrivalMs }: ReadingEntry): boolean => Math.abs(arrivalMs - wallMs()) < 60_000

  it('sends its readings marked while neither knows the time', async () => {
    await publish(1)
    await until('the reading is at the hub', async () => (await atHub()).length === 1)
    const [reading] = await atHub()
    assert.equal(reading?.boot, 'first')
    assert.equal(isNow(reading), false)
    await until('the reading is at the peer', async () => (await readingsAt(peer)).length === 1)
    assert.equal((await readingsAt(peer))[0]?.boot, 'first')
  })

  it('corrects them at both, once a time service has set its clock', async () => {
    edgeMachine.aheadMs = 0
    edgeMachine.facts = synchronised
    await until('the correction is at the hub', async () => (await atHub()).every(one => one.boot === undefined))
    assert.ok((await atHub()).every(isNow))
    assert.ok((await readingsAt(edge)).every(isNow))
    const rows = await collect(hub.store.rows('clock'))
    assert.deepEqual(
      rows.map(({ key }) => key),
      ['edge/first'],
    )
    await publish(2)
    await until('the next is at the hub', async () => (await atHub()).length === 2)
    assert.ok((await atHub()).every(one => one.boot === undefined && isNow(one)))
  })

  it('has them corrected at a gateway that took them from the hub, and that names no table of corrections', async () => {
    await until('the correction is there', async () => (await readingsAt(peer)).every(one => one.boot === undefined))
    assert.ok((await readingsAt(peer)).every(isNow))
    assert.equal((await collect(peer.store.rows('clock'))).length, 1)
  })

  it('takes the time of a hub that knows it, and loses to a row that the cloud wrote later', async () => {
    await edge.close()
    await hub.close()
    const port = await freePort()
    // Ten years ahead, with a battery that vouches for it, and a row written before there is a link.
    edgeMachine.aheadMs = 10 * 365 * 86_400_000
    edgeMachine.facts = { service: undefined, hasBatteryClock: true }
    edge = await openEdge('second', port)
    const put = (gateway: Gateway, key: string, value: string): Promise<unknown> =>
      gateway.store.commit([{ kind: 'put', table: 'thresholds', key, value }], 'now')
    await put(edge, 'limit', 'edge')
    await put(edge, 'other', 'edge')
    await publish(3)
    const newest = async (): Promise<ReadingEntry> =>
      (await collect(edge.store.query('readings', { limit: 1 })))[0] as ReadingEntry
    assert.equal(isNow(await newest()), false)

    hubMachine.facts = synchronised
    hub = await openHub(port)
    await put(hub, 'limit', 'cloud')
    const values = (key: string): unknown[] => [edge, hub].map(one => one.store.latest('thresholds', key)?.value)
    await until('both hold the later one', () => values('limit').every(value => value === 'cloud'))
    await until('what the edge alone wrote is at the hub', () => values('other').every(value => value === 'edge'))
    const stamps = [edge, hub].map(one => one.store.latest('thresholds', 'other')?.stamp)
    assert.equal(stamps[0], stamps[1])
    assert.ok(Math.abs(stampMs(stamps[0] ?? stampZero) - wallMs()) < 60_000)
  })
})
