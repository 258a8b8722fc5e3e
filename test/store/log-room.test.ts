/** Room ahead of LevelDB's log. */
import assert from 'node:assert/strict'
import { appendFileSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { silentLog } from '../../runtime/log.ts'
import { LogRoom } from '../../runtime/store/log-room.ts'
import { arrival } from '../api/surface.ts'
import { diskPlace } from './homes.ts'

const room = 16 << 10

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-room-'))
  t.after(() => rmSync(folder, { recursive: true }))
  return folder
}

test('zeros are made ahead of the newest log, and again when three quarters are used', (t: TestContext) => {
  const folder = folderOf(t)
  writeFileSync(join(folder, '000003.log'), 'old')
  writeFileSync(join(folder, '000010.log'), 'what LevelDB wrote')
  const made = new LogRoom(folder, silentLog, room)
  t.after(() => made.close())
  made.follow()
  made.wrote(100)
  const file = join(folder, '000010.log')
  const text = readFileSync(file)
  assert.equal(text.length, 18 + room)
  assert.equal(text.subarray(0, 18).toString(), 'what LevelDB wrote')
  assert.ok(text.subarray(18).every(byte => byte === 0))
  assert.equal(statSync(join(folder, '000003.log')).size, 3)
  let sizes = new Set<number>()
  for (let written = 0; written < room; written += 164) {
    made.wrote(100)
    sizes.add(statSync(file).size)
  }
  sizes = new Set([...sizes].toSorted((a, b) => a - b))
  assert.deepEqual([...sizes], [18 + room, 18 + 2 * room])
})

test('what LevelDB has written beyond the room is never written over', (t: TestContext) => {
  const folder = folderOf(t)
  const file = join(folder, '000001.log')
  writeFileSync(file, '')
  const made = new LogRoom(folder, silentLog, room)
  t.after(() => made.close())
  made.follow()
  made.wrote(0)
  appendFileSync(file, 'beyond the room')
  for (let turn = 0; turn < 400; turn++) made.wrote(100)
  assert.equal(
    readFileSync(file)
      .subarray(room, room + 15)
      .toString(),
    'beyond the room',
  )
})

test('large commits need no room: it would be as much again', (t: TestContext) => {
  const folder = folderOf(t)
  const file = join(folder, '000001.log')
  writeFileSync(file, '')
  const made = new LogRoom(folder, silentLog, room)
  t.after(() => made.close())
  made.follow()
  for (let turn = 0; turn < 50; turn++) made.wrote(100_000)
  const { size } = statSync(file)
  assert.ok(size <= 2 * room, `${size} bytes of zeros for large commits`)
})

test('a folder that is gone, or has no log, is no reason to fail', (t: TestContext) => {
  const folder = folderOf(t)
  for (const each of [folder, join(folder, 'nowhere')]) {
    const made = new LogRoom(each, silentLog, room)
    made.follow()
    made.wrote(100)
    made.close()
  }
  assert.deepEqual(readdirSync(folder), [])
})

test('a store whose log has room finds every reading again', async (t: TestContext) => {
  const place = diskPlace()
  t.after(() => place.remove())
  let count = 0
  for (let opening = 0; opening < 4; opening++) {
    const store = await place.open()
    for (let commit = 0; commit < 60; commit++)
      await store.commit(
        [{ kind: 'append', table: 'readings', readings: [arrival(`device-${commit % 3}`, 'x'.repeat(300), ++count)] }],
        'now',
      )
    await store.close()
  }
  const store = await place.open()
  t.after(() => store.close())
  let found = 0
  for await (const _ of store.query('readings', {})) found++
  assert.deepEqual([found, store.status().damagedValues], [count, 0])
})
