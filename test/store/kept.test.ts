import assert from 'node:assert/strict'
import { test } from 'node:test'
import type { Store } from '../../runtime/store/store.ts'
import { refusalOf } from '../../runtime/store/refusal.ts'
import type { Change, KeepChange } from '../../runtime/store/types.ts'
import { diskPlace, memoryPlace } from './homes.ts'
import { arrival, collect } from './suite.ts'

const keep = (
  owner: string,
  key: string,
  text: string | undefined,
  whenFull: 'refuse' | 'take' = 'take',
): KeepChange => ({
  kind: 'keep',
  owner,
  key,
  bytes: text === undefined ? undefined : Buffer.from(text, 'latin1'),
  whenFull,
})
const told = async (store: Store, owner: string) =>
  (await collect(store.kept(owner))).map(([key, bytes]) => [key, bytes.toString('latin1')])

for (const [name, makePlace] of [
  ['on disk', diskPlace],
  ['in memory', memoryPlace],
] as const) {
  test(`a store ${name} keeps bytes for a room, in the commit of a reading, in the order of keys, across a restart`, async t => {
    const place = makePlace()
    t.after(() => place.remove())
    let store = await place.open()
    await store.commit([
      { kind: 'append', table: 'readings', readings: [arrival()] },
      keep('broker', 'm\x002', '\x00\xff two'),
      keep('broker', 'm\x001', 'one'),
      keep('broker', 'é', ''),
      keep('broke', 'x', 'of another'),
      keep('brokers', 'x', 'of a third'),
    ])
    await store.commit([keep('broker', 'm\x001', 'one again'), keep('broker', 'é', undefined)])
    await store.close()
    store = await place.open()
    assert.deepEqual(await told(store, 'broker'), [
      ['m\x001', 'one again'],
      ['m\x002', '\x00\xff two'],
    ])
    assert.deepEqual(await told(store, 'broke'), [['x', 'of another']])
    assert.equal(store.head('readings'), 1)
    await store.close()
  })
}

test('while the disk is nearly full what is to be refused then is, with all of its commit; forgetting is taken', () => {
  const refused = (...changes: Change[]) => refusalOf('full', 'no space', changes)?.code
  assert.equal(refused(keep('broker', 'm', 'large', 'refuse')), 'STORE_FULL')
  assert.equal(refused(keep('broker', 'i', 'small'), keep('broker', 'm', 'large', 'refuse')), 'STORE_FULL')
  assert.equal(refused(keep('broker', 'm', undefined, 'refuse'), keep('broker', 'i', 'small', 'take')), undefined)
})
