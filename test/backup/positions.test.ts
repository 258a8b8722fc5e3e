/**
 * What becomes of the streams of a database that was restored: a real hub and a real gateway, whose card is lost after
 * its last backup. Nothing that both know is sent twice, and nothing that only one knows is left out.
 */
import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { type TestContext, describe, it } from 'node:test'
import { settleRestored } from '../../runtime/identities.ts'
import { silentLog } from '../../runtime/log.ts'
import { seqZero } from '../../runtime/store/types.ts'
import { Cloud, Edge, append, flush, put, remove, rowsOf, until, values } from '../replication/rig.ts'
import type { Place } from '../store/homes.ts'
import { backUp, folderFor, restoreTo } from './rig.ts'
import { storeIn } from './stores.ts'

/** A card: what is in it outlives its gateway, and it can be lost. */
class Card implements Place {
  readonly path: string

  constructor(folder: string, name: string) {
    this.path = join(folder, name)
  }

  async open(options: Parameters<Place['open']>[0] = {}) {
    const store = await storeIn(this.path, options)
    if (store.state('origin', 'id') === undefined)
      await store.commit([{ kind: 'state', owner: 'origin', key: 'id', value: store.origin }])
    await settleRestored(store, silentLog)
    return store
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

const range = (count: number, from = 0): number[] => Array.from({ length: count }, (_, index) => from + index)

type Site = {
  readonly folder: string
  readonly cloud: Cloud
  edge: Edge
  readonly options: Parameters<typeof Edge.open>[2]
}

async function openSite(t: TestContext, options: Site['options'] = {}): Promise<Site> {
  const folder = folderFor(t)
  const accepted = ['readings', 'thresholds', 'alerts']
  const cloud = await Cloud.open({ accept: accepted, offer: accepted }, new Card(folder, 'hub'))
  const edge = await Edge.open(cloud, 'gw-1', options, new Card(folder, 'gw-1'))
  const site = { folder, cloud, edge, options }
  t.after(async () => {
    await site.edge.close()
    await cloud.close()
  })
  return site
}

const atHub = (site: Site, count: number): Promise<void> =>
  until(`${count} readings at the hub`, () => site.cloud.store.head('readings') >= count)

/** The gateway is gone with its card; another one takes its place, with what the backup has. */
async function replaceEdge(site: Site, files: readonly string[], id = 'gw-1', isClone = false): Promise<void> {
  await site.edge.close()
  const card = new Card(site.folder, `card ${id} ${files.length}`)
  await restoreTo(card.path, files, { gateway: id === 'gw-1' ? undefined : id, isClone })
  site.edge = await Edge.open(site.cloud, id, site.options, card)
}

async function settledAtHub(site: Site, last: unknown): Promise<unknown[]> {
  await until('the last one is at the hub', async () => (await values(site.cloud.store)).includes(last))
  await until('nothing is left', () => site.edge.stream('readings').behind === 0)
  return values(site.cloud.store)
}

describe('a gateway that is restored under its id', () => {
  it('sends nothing twice and leaves nothing out, when the hub has more of it than the backup', async t => {
    const site = await openSite(t)
    await append(site.edge.store, ...range(50))
    await atHub(site, 50)
    await site.edge.bridge.close()
    await append(site.edge.store, ...range(20, 50))
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(30, 70))
    await site.edge.dial()
    await atHub(site, 100)
    await replaceEdge(site, [backup])
    assert.deepEqual(await values(site.edge.store), range(70))
    await append(site.edge.store, ...range(40, 1_000))
    assert.deepEqual(await settledAtHub(site, 1_039), [...range(100), ...range(40, 1_000)])
    // And after a restart of both.
    await site.edge.stop()
    await site.cloud.stop()
    await site.cloud.start()
    await site.edge.start()
    await append(site.edge.store, 2_000)
    assert.deepEqual(await settledAtHub(site, 2_000), [...range(100), ...range(40, 1_000), 2_000])
  })

  it('goes on where the hub is, when the hub has less of it than the backup', async t => {
    const site = await openSite(t)
    await append(site.edge.store, ...range(50))
    await atHub(site, 50)
    await site.edge.bridge.close()
    await append(site.edge.store, ...range(20, 50))
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(30, 70)) // Nobody but the lost card has ever had these.
    await replaceEdge(site, [backup])
    await append(site.edge.store, ...range(40, 1_000))
    assert.deepEqual(await settledAtHub(site, 1_039), [...range(70), ...range(40, 1_000)])
  })

  it('does so too when it has grown past the hub, and was started many times, before the two meet', async t => {
    const site = await openSite(t)
    await append(site.edge.store, ...range(50))
    await atHub(site, 50)
    const backup = join(site.folder, 'backup')
    await flush(site.edge.store)
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(30, 50))
    await atHub(site, 80)
    await site.cloud.hangUp()
    await replaceEdge(site, [backup])
    for (const round of range(3)) {
      await append(site.edge.store, ...range(30, 1_000 + 30 * round))
      await site.edge.stop()
      await site.edge.start()
    }
    await site.cloud.listen()
    assert.deepEqual(await settledAtHub(site, 1_089), [...range(80), ...range(90, 1_000)])
  })

  it('knows what the hub has before its turn, of new readings that went before a backlog', async t => {
    const site = await openSite(t, {
      publish: [{ table: 'readings', start: 'beginning', liveFirst: true }],
      frameBytes: 400,
    })
    await append(site.edge.store, ...range(10))
    await atHub(site, 10)
    await site.edge.bridge.close()
    await append(site.edge.store, ...range(3_000, 10))
    // The connection breaks while the backlog drains, with new readings ahead of it.
    await site.edge.dial()
    const ahead = (): number => site.edge.bridge.status().streams[0]?.confirmed ?? 0
    await until('the backlog is under way', () => ahead() > 10)
    const both = append(site.edge.store, ...range(50, 5_000))
    await until('new ones are there', async () => (await values(site.cloud.store)).includes(5_049))
    await both
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(50, 6_000))
    await until('newer ones are there', async () => (await values(site.cloud.store)).includes(6_049))
    await replaceEdge(site, [backup])
    await append(site.edge.store, ...range(50, 9_000))
    const found = await settledAtHub(site, 9_049)
    await until('all of it', async () => (await values(site.cloud.store)).length >= 3_010 + 150)
    const all = (await values(site.cloud.store)) as number[]
    assert.ok(found.length > 0)
    assert.deepEqual(
      all.toSorted((a, b) => a - b),
      [...range(3_010), ...range(50, 5_000), ...range(50, 6_000), ...range(50, 9_000)],
    )
  })

  it('gets back the rows that only the hub has, its own too', async t => {
    const both = ['thresholds']
    const site = await openSite(t, { publish: [{ table: 'thresholds', start: 'beginning' }], subscribe: both })
    await put(site.edge.store, 'old', 1)
    await put(site.edge.store, 'changed', 1)
    await put(site.edge.store, 'removed', 1)
    await until('the hub has them', async () => Object.keys(await rowsOf(site.cloud.store)).length === 3)
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await put(site.edge.store, 'changed', 2)
    await put(site.edge.store, 'new', 2)
    await remove(site.edge.store, 'removed')
    await put(site.cloud.store, 'of the hub', 3)
    await until(
      'both agree',
      async () => JSON.stringify(await rowsOf(site.cloud.store)) === JSON.stringify(await rowsOf(site.edge.store)),
    )
    const lost = await rowsOf(site.cloud.store)
    await replaceEdge(site, [backup])
    await until('all of it is back', async () => JSON.stringify(await rowsOf(site.edge.store)) === JSON.stringify(lost))
    await put(site.edge.store, 'changed', 4)
    await put(site.cloud.store, 'of the hub', 5)
    await until('both go on', async () => {
      const [here, there] = [await rowsOf(site.edge.store), await rowsOf(site.cloud.store)]
      return (
        JSON.stringify(here) === JSON.stringify(there) &&
        site.edge.store.latest('thresholds', 'of the hub')?.value === 5
      )
    })
    assert.equal(site.cloud.store.latest('thresholds', 'changed')?.value, 4)
  })
})

describe('a hub that is restored', () => {
  it('gets again what it has lost, and sends nothing twice', async t => {
    const site = await openSite(t, { subscribe: ['thresholds', 'readings'] })
    await append(site.edge.store, ...range(30))
    await append(site.cloud.store, ...range(30, 10_000))
    const bothAt = (count: number): Promise<void> =>
      until(`${count} at both`, () => [site.edge, site.cloud].every(({ store }) => store.head('readings') >= count))
    await bothAt(60)
    const backup = join(site.folder, 'backup')
    await flush(site.cloud.store)
    await backUp(site.cloud.store, backup)
    await append(site.edge.store, ...range(30, 30))
    await append(site.cloud.store, ...range(30, 10_030))
    await put(site.cloud.store, 'limit', 7)
    await bothAt(120)
    await until('the row is there', () => site.edge.store.latest('thresholds', 'limit')?.value === 7)
    await site.cloud.stop()
    site.cloud.place.remove()
    await restoreTo((site.cloud.place as Card).path, [backup])
    await site.cloud.start()
    await append(site.edge.store, ...range(30, 60))
    await append(site.cloud.store, ...range(30, 20_000))
    await until('all at the gateway', async () => (await values(site.edge.store)).includes(20_029))
    await until('all at the hub', async () => (await values(site.cloud.store)).includes(89))
    const sorted = async (store: typeof site.edge.store): Promise<number[]> =>
      ((await values(store)) as number[]).toSorted((a, b) => a - b)
    // What the hub itself had measured since, the gateway still has: readings of the hub go nowhere else.
    assert.deepEqual(await sorted(site.edge.store), [...range(90), ...range(60, 10_000), ...range(30, 20_000)])
    assert.deepEqual(await sorted(site.cloud.store), [...range(90), ...range(30, 10_000), ...range(30, 20_000)])
  })
})

describe('a gateway that is restored under another id', () => {
  const before = async (t: TestContext, more: number): Promise<{ site: Site; backup: string }> => {
    const site = await openSite(t)
    await append(site.edge.store, ...range(50))
    await atHub(site, 50)
    await flush(site.edge.store)
    await site.edge.bridge.close()
    await append(site.edge.store, ...range(20, 50))
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(more, 70))
    return { site, backup }
  }
  const origins = async (site: Site): Promise<Map<string, number>> => {
    const counts = new Map<string, number>()
    for (const { origin } of await site.cloud.store.read('readings', seqZero, 100_000))
      counts.set(origin, (counts.get(origin) ?? 0) + 1)
    return counts
  }

  it('sends as a replacement what the old one had not, under the id of the old one', async t => {
    const { site, backup } = await before(t, 0)
    await replaceEdge(site, [backup], 'gw-2')
    await append(site.edge.store, ...range(40, 1_000))
    assert.deepEqual(await settledAtHub(site, 1_039), [...range(70), ...range(40, 1_000)])
    assert.deepEqual(
      [...(await origins(site))],
      [
        ['gw-1', 70],
        ['gw-2', 40],
      ],
    )
  })

  it('sends nothing that the old one had sent since the backup', async t => {
    const { site, backup } = await before(t, 30)
    await site.edge.dial()
    await atHub(site, 100)
    await replaceEdge(site, [backup], 'gw-2')
    await append(site.edge.store, ...range(40, 1_000))
    assert.deepEqual(await settledAtHub(site, 1_039), [...range(100), ...range(40, 1_000)])
    await site.edge.stop()
    await site.edge.start()
    await append(site.edge.store, 2_000)
    assert.deepEqual(await settledAtHub(site, 2_000), [...range(100), ...range(40, 1_000), 2_000])
  })

  it('leaves as a clone to the old one what that has not sent', async t => {
    const { site, backup } = await before(t, 30)
    const card = new Card(site.folder, 'clone')
    await restoreTo(card.path, [backup], { gateway: 'gw-2', isClone: true })
    const clone = await Edge.open(site.cloud, 'gw-2', {}, card)
    t.after(() => clone.close())
    await append(clone.store, ...range(40, 1_000))
    await until('the clone is there', async () => (await values(site.cloud.store)).includes(1_039))
    await site.edge.dial()
    const found = (await settledAtHub(site, 99)) as number[]
    assert.deepEqual(
      found.toSorted((a, b) => a - b),
      [...range(100), ...range(40, 1_000)],
    )
  })

  it('stores what it has of the old one once, though the hub sends it down', async t => {
    const site = await openSite(t, { subscribe: ['readings'] })
    await append(site.edge.store, ...range(50))
    await atHub(site, 50)
    const backup = join(site.folder, 'backup')
    await backUp(site.edge.store, backup)
    await append(site.edge.store, ...range(20, 50))
    await atHub(site, 70)
    await replaceEdge(site, [backup], 'gw-2')
    await append(site.edge.store, ...range(10, 1_000))
    await append(site.cloud.store, 7_777)
    await until('the hub is heard', async () => (await values(site.edge.store)).includes(7_777))
    const found = ((await values(site.edge.store)) as number[]).toSorted((a, b) => a - b)
    assert.deepEqual(found, [...range(70), ...range(10, 1_000), 7_777])
  })
})
