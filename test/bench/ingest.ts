/**
 * `npm run bench:ingest`: durable QoS 1 readings stored per second, with rules on, beside mosquitto + an MQTT subscriber
 * + SQLite (WAL, synchronous FULL, batched, no index) doing the same work in the same run.
 *
 * A reading counts when it is stored: ours are acknowledged after that, mosquitto acknowledges before. Rounds alternate;
 * the figures are medians. Each end counts for itself, and a round in which they differ fails.
 */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import { testStamps } from '../store/homes.ts'
import type { LoadResult } from './load.ts'
import { freePort, listening, start, usage, unhurried } from './processes.ts'
import { figure, report } from './report.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    count: { type: 'string', default: '1000000' },
    rounds: { type: 'string', default: '3' },
    connections: { type: 'string', default: '10' },
    window: { type: 'string', default: '4000' },
  },
})
const connections = Number(values.connections)
const count = Math.floor(Number(values.count) / connections) * connections
const root = fileURLToPath(new URL('../../../', import.meta.url))
const peerFolder = join(root, 'test/bench/peer')
const say = (text: string): void => {
  if (!values.json) console.error(text)
}

type Round = {
  readonly perSecond: number
  readonly cpuPer100k: number
  readonly idleMb: number
  readonly peakMb: number
  readonly ackMs: LoadResult['ackMs']
}

async function load(port: number, total: number, rate: number): Promise<LoadResult> {
  const program = start(process.execPath, [
    fileURLToPath(new URL('load.js', import.meta.url)),
    String(port),
    String(total),
    String(connections),
    values.window,
    String(rate),
  ])
  return JSON.parse(await program.line(line => line.startsWith('{'))) as LoadResult
}

async function ours(rate: number, total: number): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-'))
  const port = await freePort()
  mkdirSync(join(folder, 'rules'))
  writeFileSync(
    join(folder, 'holdfast.yaml'),
    `gateway: { id: bench }\nbroker: { listen: 127.0.0.1:${port}, ${unhurried} }\nlog: { level: error }\n`,
  )
  writeFileSync(
    join(folder, 'rules/hot.yaml'),
    'groups:\n  - name: bench\n    rules:\n      - alert: TooHot\n        match: { device: "device-*" }\n        above: { key: "{device}/{metric}", default: 1000 }\n',
  )
  const gateway = start(process.execPath, [
    join(root, 'dist/runtime/main.js'),
    'run',
    '--config',
    join(folder, 'holdfast.yaml'),
  ])
  await listening(port)
  const before = usage(gateway.pid)
  const result = await load(port, total, rate)
  const after = usage(gateway.pid)
  await gateway.stop()
  const stored = await countStored(join(folder, 'data'))
  rmSync(folder, { recursive: true })
  if (stored !== result.acknowledged || stored !== result.sent)
    throw new Error(`sent ${result.sent}, acknowledged ${result.acknowledged}, stored ${stored}`)
  const cpuPer100k = ((after.cpuSeconds - before.cpuSeconds) / total) * 1e5
  return {
    perSecond: total / result.seconds,
    cpuPer100k,
    idleMb: before.rssMb,
    peakMb: after.peakMb,
    ackMs: result.ackMs,
  }
}

/** Reads the table back from the disk, after the gateway is gone. */
async function countStored(path: string): Promise<number> {
  const tables = [{ name: 'readings', kind: 'series' }] as const
  const store = await Store.open({
    path,
    tables,
    stamps: testStamps(Date.now),
    origin: 'bench',
    commitIntervalMs: 0,
    ballastBytes: 1e6,
    monotonicMs: () => 0,
    now: Date.now,
    log: silentLog,
  })
  let stored = 0
  for await (const _ of store.query('readings', {})) stored++
  await store.close()
  return stored
}

async function peer(rate: number, total: number): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-peer-'))
  const port = await freePort()
  // Its default queue of 1,000 would lose most of a burst; unlimited is what makes the counts comparable.
  writeFileSync(
    join(folder, 'mosquitto.conf'),
    `listener ${port} 127.0.0.1\nallow_anonymous true\nmax_queued_messages 0\nmax_inflight_messages 0\nset_tcp_nodelay true\nlog_dest none\n`,
  )
  const broker = start('mosquitto', ['-c', join(folder, 'mosquitto.conf')])
  await listening(port)
  const subscriber = start(process.execPath, [
    join(peerFolder, 'subscriber.mjs'),
    String(port),
    join(folder, 'readings.db'),
    String(total),
  ])
  await subscriber.line(line => line === 'ready')
  const idle = usage(broker.pid).rssMb + usage(subscriber.pid).rssMb
  const cpuBefore = usage(broker.pid).cpuSeconds + usage(subscriber.pid).cpuSeconds
  const [result, told] = await Promise.all([load(port, total, rate), subscriber.line(line => line.startsWith('{'))])
  const stored = JSON.parse(told) as { stored: number; at: number; cpu: { user: number; system: number }; rss: number }
  const brokerAfter = usage(broker.pid)
  await broker.stop()
  rmSync(folder, { recursive: true })
  if (stored.stored !== total || result.acknowledged !== total)
    throw new Error(`peer: acknowledged ${result.acknowledged}, stored ${stored.stored}`)
  const seconds = Math.max((stored.at - result.beganAtMs) / 1000, result.seconds)
  const cpu = brokerAfter.cpuSeconds + (stored.cpu.user + stored.cpu.system) / 1e6 - cpuBefore
  return {
    perSecond: total / seconds,
    cpuPer100k: (cpu / total) * 1e5,
    idleMb: idle,
    peakMb: brokerAfter.peakMb + stored.rss / 2 ** 20,
    ackMs: result.ackMs,
  }
}

function median(rounds: readonly Round[], of: (round: Round) => number): number {
  const sorted = rounds.map(of).toSorted((a, b) => a - b)
  return sorted[Math.floor(sorted.length / 2)] as number
}

if (!existsSync(join(peerFolder, 'node_modules/better-sqlite3'))) {
  say('installing the peer (better-sqlite3 is compiled: this takes some minutes, once)')
  execFileSync('npm', ['install', '--no-audit', '--no-fund', '--prefix', peerFolder], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
}
const flood: { ours: Round[]; peer: Round[] } = { ours: [], peer: [] }
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const side of ['ours', 'peer'] as const) {
    const run = await (side === 'ours' ? ours(0, count) : peer(0, count))
    flood[side].push(run)
    say(`round ${round} ${side}: ${Math.round(run.perSecond).toLocaleString('en')} readings/s`)
  }
}
const paced = { ours: await ours(2_000, 20_000), peer: await peer(2_000, 20_000) }
const compare = (name: string, of: (round: Round) => number, target: Parameters<typeof figure>[3] = null) =>
  figure(name, median(flood.ours, of), median(flood.peer, of), target)
report(
  'ingest',
  [
    compare('readings stored per second', round => round.perSecond, {
      text: 'at least 2.0',
      holds: ratio => ratio >= 2,
    }),
    compare('CPU seconds per 100,000 readings', round => round.cpuPer100k),
    compare('memory idle, MB', round => round.idleMb),
    compare('memory at most, MB', round => round.peakMb),
    compare('PUBACK p50 flat out, ms', round => round.ackMs.p50),
    compare('PUBACK p99 flat out, ms', round => round.ackMs.p99),
    figure('PUBACK p50 at 2,000/s, ms', paced.ours.ackMs.p50, paced.peer.ackMs.p50),
    figure('PUBACK p99 at 2,000/s, ms', paced.ours.ackMs.p99, paced.peer.ackMs.p99),
    figure('CPU seconds per 100,000 at 2,000/s', paced.ours.cpuPer100k, paced.peer.cpuPer100k),
  ],
  [
    `${values.rounds} rounds of ${count.toLocaleString('en')} readings on ${connections} connections, ${values.window} unacknowledged each; one rule matches every reading of ours, the peer has none.`,
    "Our PUBACK comes after the reading is on disk (commit_interval 100 ms); mosquitto's comes before.",
  ],
  values.json,
)
