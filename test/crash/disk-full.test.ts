import assert from 'node:assert/strict'
import { test } from 'node:test'
import { fillDisk, mountSmallDisk } from '../rigs/disk-full.ts'

for (const fileSystem of ['ext4', 'tmpfs'] as const) {
  test(`a full disk loses nothing acknowledged and ingest resumes when space returns (${fileSystem})`, async t => {
    const disk = mountSmallDisk(fileSystem)
    if (typeof disk === 'string') return t.skip(disk)
    t.after(() => disk.unmount())
    const result = await fillDisk(disk, { fileSystem, cycles: 2 })
    assert.deepEqual(result.problems, [])
    assert.deepEqual([result.missing, result.resumed, result.bootedFull], [0, 2, true])
    assert.ok(result.refused > 0, 'the disk never was full')
  })
}
