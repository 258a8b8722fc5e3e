/**
 * `npm run bench:wear`: bytes written to the disk for 50 sensors that publish once a second, at commit intervals of 0, 100 ms
 * and 1 s, beside mosquitto + SQLite (WAL, synchronous FULL, an index on device, metric and time) doing the same work.
 *
 * Each side runs on a file system of its own, freshly made (ext4 on a loop device; needs root), and is measured twice in
 * the same way: what the kernel charges to its processes, and what came to the device, the file system's journal with it.
 * What the gateway writes later for the same readings (tables of LevelDB, packing) does not come in a short run: it is
 * measured by a pretend day through the store, and added.
 */
import { mkdirSync, writeFileSync } from 'node:fs'
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { machineDisk } from '../../runtime/store/machine-disk.ts'
import { mountSmallDisk, type SmallDisk } from '../rigs/disk-full.ts'
import { freePort, listening, type Program, start, unhurried } from './processes.ts'
import { progress } from './progress.ts'
import { type Figure, figure, report } from './report.ts'
import { upkeep } from './wear-upkeep.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    seconds: { type: 'string', default: '120' },
    sensors: { type: 'string', default: '50' },
  },
})
const [seconds, sensors] = [Number(values.seconds), Number(values.sensors)]
const root = fileURLToPath(new URL('../../../', import.meta.url))
const here = (name: string): string => fileURLToPath(new URL(name, import.meta.url))
const intervalsMs = [0, 100, 1_000] as const
const warmUpSeconds = 3

type Side = { readonly programs: readonly Program[]; readonly pids: readonly number[]; stop(): Promise<void> }
type Measured = { readonly process: number; readonly device: number | null }

async function ours(folder: string, port: number, intervalMs: number): Promise<Side> {
  mkdirSync(join(folder, 'rules'))
  const config = join(folder, 'holdfast.yaml')
  writeFileSync(
    config,
    `gateway: { id: bench }\nbroker: { listen: 127.0.0.1:${port}, ${unhurried} }\nstore: { path: ${join(folder, 'store')}, commit_interval: ${intervalMs}ms }\nlog: { level: error }\n`,
  )
  const gateway = start(process.execPath, [join(root, 'dist/runtime/main.js'), 'run', '--config', config])
  await listening(port)
  return { programs: [gateway], pids: [gateway.pid], stop: () => gateway.stop() }
}

async function peer(folder: string, port: number, intervalMs: number): Promise<Side> {
  const config = join(folder, 'mosquitto.conf')
  // Persistence as a package installs it: saved every half hour. (A kill in between loses what is queued.)
  writeFileSync(
    config,
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location ${folder}/\nlog_dest none\nuser root\n`,
  )
  const broker = start('mosquitto', ['-c', config])
  await listening(port)
  const script = join(root, 'test/bench/peer/wear.py')
  const sink = start('python3', [script, String(port), join(folder, 'readings.db'), String(intervalMs)])
  const ready = await sink.line(line => line.startsWith('ready'))
  return {
    programs: [sink, broker],
    pids: [broker.pid, sink.pid, Number(ready.split(' ')[1])],
    stop: async () => {
      await sink.stop()
      await broker.stop()
    },
  }
}

/** Bytes per reading, in the steady state after a short warm-up. */
async function measure(open: typeof ours, port: number, intervalMs: number): Promise<Measured> {
  const disk = mountSmallDisk('ext4', 1_024)
  if (typeof disk === 'string') throw new Error(disk)
  try {
    const side = await open(disk.folder, port, intervalMs)
    try {
      await publish(port, warmUpSeconds)
      const before = written(side, disk)
      const sent = await publish(port, seconds)
      // What is acknowledged may still be on its way to the peer's database.
      await new Promise(resolve => setTimeout(resolve, 2_000))
      const after = written(side, disk)
      return {
        process: (after.process - before.process) / sent,
        device: before.device === null || after.device === null ? null : (after.device - before.device) / sent,
      }
    } finally {
      await side.stop()
    }
  } finally {
    disk.unmount()
  }
}

/** All different: asked for at once, two could be the same. */
async function freePorts(count: number): Promise<number[]> {
  const ports = new Set<number>()
  while (ports.size < count) ports.add(await freePort())
  return [...ports]
}

async function publish(port: number, forSeconds: number): Promise<number> {
  const load = start(process.execPath, [here('wear-load.js'), String(port), String(sensors), String(forSeconds)])
  const { sent, acknowledged } = JSON.parse(await load.line(line => line.startsWith('{'))) as Record<string, number>
  if (sent !== acknowledged || sent === undefined) throw new Error(`sent ${sent}, acknowledged ${acknowledged}`)
  return sent
}

function written({ pids }: Side, disk: SmallDisk): Measured {
  spawnSync('sync', ['-f', disk.folder])
  const processes = pids.map(pid => machineDisk(disk.folder, `/proc/${pid}/io`).writtenBytes() ?? Number.NaN)
  return { process: processes.reduce((sum, bytes) => sum + bytes, 0), device: disk.writtenBytes() ?? null }
}

const bar = progress(2, !values.json)
bar.step(`${sensors} sensors at 1 Hz for ${seconds} s, all sides at once on disks of their own`)
const ports = await freePorts(2 * intervalsMs.length)
const runs = await Promise.all(
  intervalsMs.map(async (intervalMs, index) => {
    const [port = 0, peerPort = 0] = ports.slice(2 * index)
    const [us, them] = await Promise.all([measure(ours, port, intervalMs), measure(peer, peerPort, intervalMs)])
    return { intervalMs, us, them }
  }),
)
bar.step('a pretend day through the store')
const later = await upkeep(sensors)
bar.end()

const figures: Figure[] = runs.flatMap(({ intervalMs, us, them }) => {
  const name = intervalMs === 0 ? 'at once' : intervalMs === 1_000 ? 'every 1 s' : `every ${intervalMs} ms`
  const target = intervalMs === 100 ? { text: 'at most 0.25', holds: (ratio: number) => ratio <= 0.25 } : null
  const perDay = (bytes: number): number => (bytes * sensors * 86_400) / 1e6
  return [
    figure(`${name}: bytes per reading, processes`, us.process + later, them.process, target),
    ...(us.device === null || them.device === null
      ? []
      : [
          figure(`${name}: bytes per reading, device`, us.device + later, them.device, target),
          figure(`${name}: MB per day, device`, perDay(us.device + later), perDay(them.device)),
        ]),
  ]
})
report(
  'wear',
  [...figures, figure('of ours: tables and packing later, bytes per reading', later)],
  [
    `${sensors} sensors, one QoS 1 message each a second of about 60 bytes of JSON, for ${seconds} s after ${warmUpSeconds} s of warm-up.`,
    'The peer stores each message in a transaction of its own (at once) or all that came in an interval in one. Its PUBACKs come before anything is on disk.',
    'processes: pages that /proc/PID/io charges. device: what the block device was given, with the journal of ext4.',
  ],
  values.json,
)
