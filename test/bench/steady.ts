/**
 * `npm run campaign:memory`: two gateways side by side take 3,000 readings a second for ten minutes. One may keep so many that
 * it is full after the first tenth, so that it trims as fast as it takes in, and compacts every minute; the other keeps all.
 *
 *   memory     of the one that trims must be flat: the last third of the run within 10 % of the second
 *   PUBACK     its p99 must be within twice that of the other
 *   rows       it must hold its limit: no more than a tenth beyond
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { GatewayStatus } from '../../runtime/api/status.ts'
import { gatewayClient } from '../../runtime/commands/gateway-client.ts'
import type { LoadResult } from './load.ts'
import { freePort, listening, type Program, start, usage, unhurried } from './processes.ts'
import { progress } from './progress.ts'
import { figure, report } from './report.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    minutes: { type: 'string', default: '10' },
    rate: { type: 'string', default: '3000' },
  },
})
const [minutes, rate] = [Number(values.minutes), Number(values.rate)]
const connections = 10
const total = Math.floor((minutes * 60 * rate) / connections) * connections
const rowsMax = Math.floor(total / 10)
const sampleMs = Math.max(500, (minutes * 60_000) / 300)
const root = fileURLToPath(new URL('../../../', import.meta.url))

type Side = { readonly gateway: Program; readonly folder: string; readonly port: number; readonly rssMb: number[] }

async function open(port: number, isTrimmed: boolean): Promise<Side> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-steady-'))
  const config = join(folder, 'holdfast.yaml')
  const store = isTrimmed ? "store: { compact: '* * * * *' }\n" : ''
  const tables = isTrimmed ? `tables: { readings: { kind: series, max_rows: ${rowsMax} } }\n` : ''
  writeFileSync(
    config,
    `gateway: { id: bench }\nbroker: { listen: 127.0.0.1:${port}, ${unhurried} }\nlog: { level: error }\n${store}${tables}`,
  )
  const gateway = start(process.execPath, [join(root, 'dist/runtime/main.js'), 'run', '--config', config])
  await listening(port)
  return { gateway, folder, port, rssMb: [] }
}

async function load({ port }: Side): Promise<LoadResult> {
  const args = [port, total, connections, 4_000, rate].map(String)
  const program = start(process.execPath, [fileURLToPath(new URL('load.js', import.meta.url)), ...args])
  const result = JSON.parse(await program.line(line => line.startsWith('{'))) as LoadResult
  if (result.acknowledged !== result.sent) throw new Error(`sent ${result.sent}, acknowledged ${result.acknowledged}`)
  return result
}

const middle = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN
const third = (numbers: readonly number[], which: 1 | 2): number =>
  middle(numbers.slice(Math.floor((numbers.length * which) / 3), Math.floor((numbers.length * (which + 1)) / 3)))

const firstPort = await freePort()
let secondPort = firstPort
while (secondPort === firstPort) secondPort = await freePort()
const sides = { trims: await open(firstPort, true), keeps: await open(secondPort, false) }
const bar = progress(100, !values.json)
const began = performance.now()
let told = 0
const sampler = setInterval(() => {
  for (const side of Object.values(sides)) side.rssMb.push(usage(side.gateway.pid).rssMb)
  const percent = Math.floor(((performance.now() - began) / (minutes * 60_000)) * 100)
  for (; told < Math.min(percent, 100); told++) bar.step(`${rate} readings/s, ${minutes} minutes`)
}, sampleMs)
const [trims, keeps] = await Promise.all([load(sides.trims), load(sides.keeps)])
clearInterval(sampler)
bar.end()
const status = await gatewayClient(join(sides.trims.folder, 'data/holdfast.sock')).get<GatewayStatus>('/status')
const rows = status.store.tables.find(({ name }) => name === 'readings')?.rows ?? Number.NaN
for (const { gateway, folder } of Object.values(sides)) {
  await gateway.stop()
  rmSync(folder, { recursive: true })
}

const growth = third(sides.trims.rssMb, 2) / third(sides.trims.rssMb, 1)
report(
  'memory',
  [
    figure('memory, last third / second third', growth, null, {
      text: '0.9 to 1.1',
      holds: ratio => ratio <= 1.1 && ratio >= 0.9,
    }),
    figure('memory, MB, middle of the last third', third(sides.trims.rssMb, 2), third(sides.keeps.rssMb, 2)),
    figure('PUBACK p50, ms', trims.ackMs.p50, keeps.ackMs.p50),
    figure('PUBACK p99, ms', trims.ackMs.p99, keeps.ackMs.p99, { text: 'at most 2.0', holds: ratio => ratio <= 2 }),
    figure('PUBACK longest, ms', trims.ackMs.max, keeps.ackMs.max),
    figure('readings acknowledged', trims.acknowledged, keeps.acknowledged),
    figure('rows kept / max_rows', rows / rowsMax, null, { text: 'at most 1.1', holds: ratio => ratio <= 1.1 }),
  ],
  [
    `${rate} readings/s for ${minutes} minutes on each of two gateways at once; ours trims to ${rowsMax.toLocaleString('en')} rows and compacts every minute, the peer is the same gateway and keeps all.`,
  ],
  values.json,
)
process.exit(0)
