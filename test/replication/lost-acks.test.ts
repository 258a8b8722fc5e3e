/** Day one 14: PUBACKs are lost selectively: the link recovers by itself, and what it carries is whole. */
import assert from 'node:assert/strict'
import { it } from 'node:test'
import { openPacketProxy, pubackType } from '../rigs/packet-proxy.ts'
import { type Time, systemTime } from '../../runtime/replication/time.ts'
import { silentLog } from '../../runtime/log.ts'
import { Cloud, Edge, append, places, until, values } from './rig.ts'

/** Twenty times as fast as life, so that 30 seconds without an acknowledgement take one and a half. */
const speed = 20
const quickTime: Time = {
  wallMs: systemTime.wallMs,
  monotonicMs: () => systemTime.monotonicMs() * speed,
  after: (delayMs, run) => systemTime.after(delayMs / speed, run),
}

it('goes on by itself when every third PUBACK is lost, and when all are: nothing is missing or twice', async t => {
  const cloud = await Cloud.open()
  t.after(() => cloud.close())
  const proxy = await openPacketProxy(cloud.port)
  t.after(() => proxy.close())
  const edge = await Edge.open(proxy, 'gw-1', {}, places.memory(), silentLog, quickTime)
  t.after(() => edge.close())
  const written: number[] = []
  const write = async (count: number): Promise<void> => {
    const more = Array.from({ length: count }, (_, index) => written.length + index)
    written.push(...more)
    await append(edge.store, ...more)
  }
  await write(100)
  await until('the first are there', () => cloud.store.head('readings') === 100)
  let acks = 0
  proxy.lose(type => type === pubackType && ++acks % 3 === 0)
  for (let round = 0; round < 60; round++) {
    await write(20)
    await until('they are there', () => cloud.store.head('readings') === written.length, 120_000)
  }
  proxy.lose(type => type === pubackType)
  for (let round = 0; round < 150; round++) await write(20)
  // The link notices that nothing is acknowledged, and begins again until something is.
  await until(
    'it was thrown away',
    () => edge.bridge.status().link.state !== 'connected' || edge.stream('readings').behind === 0,
    120_000,
  )
  proxy.lose(() => false)
  await until('all of it is there', () => cloud.store.head('readings') === written.length, 120_000)
  await until('and confirmed', () => edge.stream('readings').behind === 0, 120_000)
  assert.ok(proxy.lost > 30, `${proxy.lost} were lost`)
  assert.deepEqual(await values(cloud.store), written)
})
