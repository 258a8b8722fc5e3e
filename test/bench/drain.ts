/**
 * `npm run bench:drain`: how fast a backlog leaves a gateway once its far side is there, beside a mosquitto that bridges
 * the same rows as JSON (QoS 1) to another mosquitto. Real processes over loopback, both ends on disk.
 *
 * Ours counts a row when the hub has committed it. mosquitto counts it when the far broker has acknowledged it, which it
 * does before it is on disk; there a client that is away holds a persistent subscription, so that it has to keep it.
 * The clock starts when the first rows have arrived. Bytes are those of the one TCP connection, both ways, as the kernel
 * counts them.
 */
import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import mqttPacket from 'mqtt-packet'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import { type Arrival, seqZero } from '../../runtime/store/types.ts'
import { freePort, Site } from '../end-to-end/programs.ts'
import { testStamps } from '../store/homes.ts'
import { arrivals } from './fleet.ts'
import { listening, start, usage } from './processes.ts'
import { withNats } from './nats.ts'
import { figure, report } from './report.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    count: { type: 'string', default: '300000' },
    rounds: { type: 'string', default: '1' },
    /** Messages that the peer's bridge may have unacknowledged; 0 is any number, and slower. */
    window: { type: 'string', default: '100' },
    only: { type: 'string' },
    /** Also through a NATS leaf node and JetStream, which do not sync. */
    nats: { type: 'boolean', default: false },
    /** A folder for CPU profiles of our two processes. */
    profile: { type: 'string' },
  },
})
const count = Number(values.count)
const on =
  values.profile === undefined ? [] : ['sh', '-c', `exec "$0" --cpu-prof --cpu-prof-dir=${values.profile} "$@"`]
const say = (text: string): void => {
  if (!values.json) console.error(text)
}

type Round = {
  readonly perSecond: number
  readonly bytesPerRow: number
  readonly cpuPer100k: number
  readonly peakMb: number
}

function* rows(): Generator<Arrival> {
  let left = count
  for (const reading of arrivals({ devices: 100, seed: 1, deviceTimes: false })) {
    if (left-- === 0) return
    yield reading
  }
}

/** Received and sent by the server's end of the connections to a port. */
function bytesOn(port: number): { readonly received: number; readonly sent: number } {
  const lines = execFileSync('ss', ['-tinH', `sport = :${port}`], { encoding: 'utf8' })
  const sum = (name: string): number =>
    [...lines.matchAll(new RegExp(`${name}:(\\d+)`, 'g'))].reduce((total, [, bytes]) => total + Number(bytes), 0)
  return { received: sum('bytes_received'), sent: sum('bytes_acked') }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))

/** Asks until all have arrived; from the first that have to the last. */
async function timed(arrived: () => Promise<number>): Promise<number> {
  let first: { readonly atMs: number; readonly rows: number } | undefined
  const endMs = performance.now() + 120_000
  for (;;) {
    const there = await arrived()
    const atMs = performance.now()
    if (there > 0) first ??= { atMs, rows: there }
    if (there >= count && first) return ((count - first.rows) / (atMs - first.atMs)) * 1_000
    if (atMs > endMs) throw new Error(`${there} of ${count} arrived`)
    await pause(20)
  }
}

async function ours(): Promise<Round> {
  const site = new Site()
  try {
    const port = await freePort()
    const store = 'store: { path: ./data, ballast: 1MB }\n'
    const hub = site.program(
      'hub',
      { config: `gateway: { id: hub }\n${store}hub: { listen: '127.0.0.1:${port}' }\n` },
      on,
    )
    const bridge = `bridges: [{ name: cloud, url: 'mqtt://127.0.0.1:${port}', publish: [readings] }]\n`
    const devices = `broker: { listen: '127.0.0.1:${await freePort()}' }\n`
    const edge = site.program('edge', { config: `gateway: { id: edge }\n${store}${devices}${bridge}` }, on)
    await fill(join(edge.folder, 'data'))
    await hub.start()
    // It answers nobody until the edge has started and its start is not measured any more.
    process.kill(hub.pid, 'SIGSTOP')
    await edge.start()
    const pids = [hub.pid, edge.pid]
    const before = pids.map(pid => usage(pid).cpuSeconds)
    process.kill(hub.pid, 'SIGCONT')
    const perSecond = await timed(async () => (await hub.status()).store.readings)
    const after = pids.map(usage)
    const { received, sent } = bytesOn(port)
    const told = await hub.status()
    if (told.store.readings !== count) throw new Error(`the hub stored ${told.store.readings} of ${count}`)
    await edge.stop()
    await hub.stop()
    return {
      perSecond,
      bytesPerRow: (received + sent) / count,
      cpuPer100k: cpu(after, before),
      peakMb: after.reduce((sum, { peakMb }) => sum + peakMb, 0),
    }
  } finally {
    await site.remove()
  }
}

const cpu = (after: readonly { cpuSeconds: number }[], before: readonly number[]): number =>
  (after.reduce((sum, { cpuSeconds }, index) => sum + cpuSeconds - (before[index] ?? 0), 0) / count) * 1e5

/** The backlog, as the gateway would have stored it while the link was down. */
async function fill(path: string): Promise<void> {
  mkdirSync(path, { recursive: true })
  const store = await Store.open({
    path,
    tables: [{ name: 'readings', kind: 'series' }],
    stamps: testStamps(Date.now),
    origin: 'edge',
    commitIntervalMs: 0,
    ballastBytes: 1e6,
    monotonicMs: () => performance.now(),
    now: Date.now,
    log: silentLog,
  })
  let group: Arrival[] = []
  const commit = async (): Promise<void> => {
    if (group.length > 0) await store.commit([{ kind: 'append', table: 'readings', readings: group }], 'now')
    group = []
  }
  for (const reading of rows()) if (group.push(reading) === 500) await commit()
  await commit()
  if (store.head('readings') !== seqZero + count) throw new Error('the backlog is not whole')
  await store.close()
}

async function mosquitto(): Promise<Round> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-mosquitto-'))
  const [nearPort, farPort] = [await freePort(), await freePort()]
  // With its own limits it drops 99 of 100 queued messages without a word.
  const common = (name: string, port: number): string =>
    `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence true\npersistence_location ${folder}/${name}/\nmax_queued_messages 0\nmax_queued_bytes 0\nmax_inflight_messages ${values.window}\nset_tcp_nodelay true\nlog_dest none\n`
  for (const name of ['near', 'far']) mkdirSync(join(folder, name), { mode: 0o777 })
  writeFileSync(join(folder, 'far.conf'), common('far', farPort))
  const bridge = `connection cloud\naddress 127.0.0.1:${farPort}\ntopic # out 1\ncleansession false\nnotifications false\nrestart_timeout 1\n`
  writeFileSync(join(folder, 'near.conf'), common('near', nearPort) + bridge)
  const far = (): ReturnType<typeof start> => start('mosquitto', ['-c', join(folder, 'far.conf')])
  let farBroker = far()
  await listening(farPort)
  const away = await client(farPort, { clientId: 'away', clean: false })
  away.write(mqttPacket.generate({ cmd: 'subscribe', messageId: 1, subscriptions: [{ topic: '#', qos: 1 }] }))
  await once(away, 'data')
  away.destroy()
  await farBroker.stop()
  const near = start('mosquitto', ['-c', join(folder, 'near.conf')])
  try {
    await listening(nearPort)
    await publishAll(nearPort)
    farBroker = far()
    await listening(farPort)
    const pids = [near.pid, farBroker.pid]
    const before = pids.map(pid => usage(pid).cpuSeconds)
    // Four bytes acknowledge a message.
    const perSecond = await timed(() => Promise.resolve(Math.floor(bytesOn(farPort).sent / 4)))
    const after = pids.map(usage)
    const { received, sent } = bytesOn(farPort)
    return {
      perSecond,
      bytesPerRow: (received + sent) / count,
      cpuPer100k: cpu(after, before),
      peakMb: after.reduce((sum, { peakMb }) => sum + peakMb, 0),
    }
  } finally {
    await Promise.all([near.stop(), farBroker.stop()])
    rmSync(folder, { recursive: true, force: true })
  }
}

async function client(
  port: number,
  options: { clientId: string; clean: boolean },
): Promise<ReturnType<typeof connect>> {
  const socket = connect({ port, host: '127.0.0.1', noDelay: true })
  await once(socket, 'connect')
  socket.write(
    mqttPacket.generate({ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, keepalive: 0, ...options }),
  )
  await once(socket, 'data')
  return socket
}

/** The same rows, as a device of each would publish them. */
async function publishAll(port: number): Promise<void> {
  const socket = await client(port, { clientId: 'devices', clean: true })
  let acknowledged = 0
  let wake: () => void = () => undefined
  socket.on('data', chunk => {
    acknowledged += chunk.length / 4
    wake()
  })
  let sent = 0
  let chunk: Buffer[] = []
  const until = async (holds: () => boolean): Promise<void> => {
    while (!holds()) await new Promise<void>(resolve => (wake = resolve))
  }
  const flush = async (): Promise<void> => {
    socket.write(Buffer.concat(chunk))
    chunk = []
    await until(() => sent - acknowledged < 10_000)
  }
  for (const { device, metric, value, arrivalMs, unit } of rows()) {
    const payload = JSON.stringify({ value, time: arrivalMs, unit })
    const messageId = (sent++ % 65_000) + 1
    const topic = `sensors/${device}/${metric}`
    chunk.push(mqttPacket.generate({ cmd: 'publish', topic, payload, qos: 1, messageId, retain: false, dup: false }))
    if (chunk.length === 1_000) await flush()
  }
  await flush()
  await until(() => acknowledged >= count)
  socket.destroy()
}

function nats(): Promise<Round> {
  return withNats(rows(), count, async ({ pids, arrived, port }) => {
    const before = pids.map(pid => usage(pid).cpuSeconds)
    const perSecond = await timed(arrived)
    const after = pids.map(usage)
    const { received, sent } = bytesOn(port)
    return {
      perSecond,
      bytesPerRow: (received + sent) / count,
      cpuPer100k: cpu(after, before),
      peakMb: after.reduce((sum, { peakMb }) => sum + peakMb, 0),
    }
  })
}

const sides = { ours, mosquitto, nats }
type Side = keyof typeof sides
const rounds: Readonly<Record<Side, Round[]>> = { ours: [], mosquitto: [], nats: [] }
const isWanted = (side: Side): boolean =>
  values.only === undefined ? side !== 'nats' || values.nats : values.only === side
const wanted = (Object.keys(sides) as Side[]).filter(isWanted)
for (let round = 1; round <= Number(values.rounds); round++) {
  for (const side of wanted) {
    const run = await sides[side]()
    rounds[side].push(run)
    say(
      `round ${round} ${side}: ${Math.round(run.perSecond).toLocaleString('en')} rows/s, ${run.bytesPerRow.toFixed(1)} bytes each`,
    )
  }
}
const median = (side: Side, of: (round: Round) => number): number =>
  rounds[side].map(of).toSorted((a, b) => a - b)[Math.floor(rounds[side].length / 2)] ?? Number.NaN
const speed = (round: Round): number => round.perSecond
const cpuOf = (round: Round): number => round.cpuPer100k
const compare = (name: string, of: (round: Round) => number, target: Parameters<typeof figure>[3] = null) =>
  figure(name, median('ours', of), median('mosquitto', of), target)
report(
  'drain',
  [
    compare('rows drained per second', round => round.perSecond, { text: 'at least 2', holds: ratio => ratio >= 2 }),
    compare('bytes on the wire per row', round => round.bytesPerRow, {
      text: 'at most 0.1',
      holds: ratio => ratio <= 0.1,
    }),
    compare('CPU seconds per 100,000 rows, both ends', round => round.cpuPer100k),
    compare('memory at most, both ends, MB', round => round.peakMb),
    ...(wanted.includes('nats')
      ? [
          figure('rows per second; peer: NATS leaf node to JetStream', median('ours', speed), median('nats', speed)),
          figure('CPU; peer: NATS', median('ours', cpuOf), median('nats', cpuOf)),
        ]
      : []),
  ],
  [
    `${values.rounds} round(s) of ${count.toLocaleString('en')} rows: 100 devices with 4 metrics, a gateway to a hub; peer: mosquitto bridged to mosquitto, QoS 1, no limits on its queues, ${values.window} messages in flight.`,
    'Our row counts once the hub has committed it, with its position and a sync; a row of the peer once the far broker has it in memory.',
  ],
  values.json,
)
