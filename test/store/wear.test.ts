/** The account of what is written to the disk. */
import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { Durations, durationBounds } from '../../runtime/store/durations.ts'
import { machineDisk, parseWrittenBytes } from '../../runtime/store/machine-disk.ts'
import { Wear } from '../../runtime/store/wear.ts'
import { arrival } from '../api/surface.ts'
import { diskPlace } from './homes.ts'

const dayMs = 86_400_000
const noonMs = Date.UTC(2026, 10, 23, 12)

/** A machine in the hand of the test. */
function pretend(processBytes: number | undefined = 0) {
  const machine: { now: number; monotonic: number; bytes: number | undefined } = {
    now: noonMs,
    monotonic: 0,
    bytes: processBytes,
  }
  const doors = {
    now: () => machine.now,
    monotonicMs: () => machine.monotonic,
    processBytes: () => machine.bytes,
  }
  return { machine, doors }
}

test('what is written is charged to the day on which it is written, and to the life of the database', () => {
  const { machine, doors } = pretend(5_000)
  const wear = new Wear(undefined, doors)
  machine.bytes = 9_000
  wear.wrote(100, 3, 'interval', 2)
  let { sinceStart, days, total } = wear.status()
  assert.deepEqual(sinceStart, { processBytes: 4_000, storeBytes: 100, readings: 3, commits: 1 })
  // Opening the database is wear too, though it is not the pace of what follows.
  assert.deepEqual(total, { processBytes: 9_000, storeBytes: 100, readings: 3, commits: 1 })
  machine.now += dayMs
  machine.bytes = 10_000
  wear.wrote(50, 1, 'now', 2)
  ;({ days } = wear.status())
  assert.deepEqual(
    days.map(({ dayMs: day, processBytes, storeBytes }) => [day, processBytes, storeBytes]),
    [
      [Date.UTC(2026, 10, 23), 9_000, 100],
      [Date.UTC(2026, 10, 24), 1_000, 50],
    ],
  )
})

test('the account goes on after a restart, whose process counts from nothing', () => {
  const { machine, doors } = pretend(0)
  const first = new Wear(undefined, doors)
  machine.bytes = 7_000
  first.wrote(100, 3, 'interval', 2)
  const saved = first.last()
  assert.equal(first.last(), undefined, 'there is nothing new to save')
  machine.bytes = 500
  const second = new Wear(structuredClone(saved), doors)
  machine.bytes = 600
  second.wrote(10, 1, 'lazy', 2)
  const { total, days, sinceStart, commitsBy } = second.status()
  assert.deepEqual(total, { processBytes: 7_600, storeBytes: 110, readings: 4, commits: 2 })
  assert.deepEqual([days.length, days[0]?.processBytes], [1, 7_600])
  assert.deepEqual([sinceStart.processBytes, commitsBy], [100, { interval: 0, now: 0, lazy: 1 }])
})

test('what the machine does not say is null for the whole of that time, and never made up', () => {
  const { machine, doors } = pretend(undefined)
  machine.bytes = undefined
  const wear = new Wear({ total: { processBytes: 9, storeBytes: 9, readings: 1, commits: 1 }, days: [] }, doors)
  wear.wrote(10, 1, 'interval', 1)
  const { sinceStart, total } = wear.status()
  assert.deepEqual([sinceStart.processBytes, total.processBytes, total.storeBytes], [null, null, 19])
})

test('eight days are kept, those that were written first go', () => {
  const { machine, doors } = pretend()
  const wear = new Wear(undefined, doors)
  for (let day = 0; day < 30; day++) {
    machine.now += dayMs
    wear.wrote(day, 0, 'interval', 1)
  }
  const { days } = wear.status()
  assert.deepEqual([days.length, days.at(-1)?.storeBytes, days[0]?.storeBytes], [8, 29, 22])
})

test('the account rides in a commit every ten minutes, and is not written more often', () => {
  const { machine, doors } = pretend()
  const wear = new Wear(undefined, doors)
  let saved = 0
  for (machine.monotonic = 0; machine.monotonic < 3_600_000; machine.monotonic += 100) if (wear.due()) saved++
  assert.equal(saved, 5)
})

test('durations are counted into every bucket that they fit in', () => {
  const durations = new Durations()
  for (const ms of [0.5, 3, 20_000]) durations.add(ms)
  const { within, count, seconds } = durations.counts()
  assert.deepEqual([count, seconds], [3, 20.0035])
  assert.deepEqual([within[0], within[durationBounds.indexOf(0.005)], within.at(-1)], [1, 2, 2])
})

test('the bytes of a process are those written less those cancelled, or unknown', () => {
  assert.equal(parseWrittenBytes('wchar: 9\nwrite_bytes: 8192\ncancelled_write_bytes: 4096\n'), 4096)
  assert.equal(parseWrittenBytes(''), undefined)
  assert.equal(parseWrittenBytes('write_bytes: 8192\n'), undefined)
})

test('a machine without /proc/self/io says nothing, and one with it never less than before', (t: TestContext) => {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-wear-'))
  t.after(() => rmSync(folder, { recursive: true }))
  assert.equal(machineDisk(folder, join(folder, 'none')).writtenBytes(), undefined)
  const io = join(folder, 'io')
  writeFileSync(io, 'write_bytes: 8192\ncancelled_write_bytes: 0\n')
  const disk = machineDisk(folder, io)
  assert.equal(disk.writtenBytes(), 8192)
  writeFileSync(io, readFileSync(io, 'utf8').replace('cancelled_write_bytes: 0', 'cancelled_write_bytes: 4096'))
  assert.equal(disk.writtenBytes(), 8192)
  assert.ok((disk.freeBytes() ?? 0) > 0)
  assert.equal(machineDisk(join(folder, 'nowhere')).freeBytes(), undefined)
})

test('a store goes on with its account when it is opened again', async (t: TestContext) => {
  const place = diskPlace()
  t.after(() => place.remove())
  const first = await place.open()
  await first.commit([{ kind: 'append', table: 'readings', readings: [arrival('a', 1, noonMs)] }], 'now')
  const before = first.status().wear.total
  await first.close()
  const second = await place.open()
  t.after(() => second.close())
  const { total, sinceStart, writeDurations } = second.status().wear
  assert.deepEqual(total, before)
  assert.deepEqual([total.readings, sinceStart.commits, writeDurations.count], [1, 0, 0])
})
