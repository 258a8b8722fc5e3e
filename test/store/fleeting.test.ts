/** A store that waits for no disk is a store all the same. */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { after, it } from 'node:test'
import { fleetingHome } from '../../runtime/store/fleeting.ts'
import { diskPlace } from './homes.ts'

const work = mkdtempSync(join(tmpdir(), 'holdfast-fleeting-'))
after(() => rmSync(work, { recursive: true, force: true }))

it('a copy that is taken of a fleeting store while it is open has all that was committed', async () => {
  const place = diskPlace()
  const [kept, cut] = [join(work, 'kept'), join(work, 'cut')]
  const store = await place.open({ home: fleetingHome(kept) })
  for (let limit = 1; limit <= 100; limit++) {
    await store.commit([{ kind: 'put', table: 'thresholds', key: `pump-${limit}`, value: limit }], 'now')
  }
  cpSync(kept, cut, { recursive: true })
  await store.close()
  for (const folder of [cut, kept]) {
    const again = await place.open({ home: fleetingHome(folder) })
    assert.equal(again.latest('thresholds', 'pump-1')?.value, 1)
    assert.equal(again.latest('thresholds', 'pump-100')?.value, 100)
    await again.close()
  }
  place.remove()
})
