/**
 * What the store writes for a reading after its commit: LevelDB's tables, compaction, packing. One pretend day of sensors
 * at 1 Hz goes through a real store in large commits, so that the pages of single appends do not count; the process tells
 * what it has written.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../runtime/log.ts'
import { machineDisk } from '../../runtime/store/machine-disk.ts'
import { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { testStamps } from '../store/homes.ts'

const commitSeconds = 60
const daySeconds = 86_400
const beginMs = Date.UTC(2026, 0, 1)

/** Bytes per reading. */
export async function upkeep(sensors: number): Promise<number> {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-wear-'))
  let atMs = 0
  const disk = machineDisk(path)
  const store = await Store.open({
    path,
    tables: [{ name: 'readings', kind: 'series' }],
    stamps: testStamps(() => beginMs + atMs),
    origin: 'bench',
    commitIntervalMs: 0,
    ballastBytes: 1 << 20,
    monotonicMs: () => atMs,
    now: () => beginMs + atMs,
    log: silentLog,
  })
  const before = disk.writtenBytes() ?? Number.NaN
  for (let second = 0; second < daySeconds; second += commitSeconds) {
    atMs = second * 1_000
    await store.commit([{ kind: 'append', table: 'readings', readings: minute(sensors, second) }], 'now')
  }
  await store.close()
  const bytes = (disk.writtenBytes() ?? Number.NaN) - before
  rmSync(path, { recursive: true })
  return bytes / (sensors * daySeconds)
}

function minute(sensors: number, fromSecond: number): Arrival[] {
  return Array.from({ length: sensors * commitSeconds }, (_, index) => {
    const sensor = index % sensors
    const second = fromSecond + Math.floor(index / sensors)
    const timeMs = beginMs + second * 1_000 + sensor * 20
    return {
      device: `sensor-${String(sensor).padStart(2, '0')}`,
      metric: 'temperature',
      value: Number((20 + Math.sin(second / 60 + sensor)).toFixed(2)),
      unit: 'C',
      deviceTimeMs: timeMs,
      arrivalMs: timeMs + 3,
      id: undefined,
      joined: false,
    }
  })
}
