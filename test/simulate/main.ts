/**
 * npm run simulate -- --seed N --count K [--trace] [--json] [--break 'NAME OF A BREAK']
 *
 * Runs K seeds from N on and says which of them failed. `--trace` tells the whole story of each.
 */
import { parseArgs } from 'node:util'
import { type Break, breaks } from './breaks.ts'
import { runSeed } from './run.ts'

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    count: { type: 'string', default: '1' },
    trace: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    break: { type: 'string' },
    help: { type: 'boolean', short: 'h', default: false },
  },
})
if (values.help) {
  console.log(`npm run simulate -- [--seed N] [--count K] [--trace] [--json] [--break NAME]

Runs K seeds from N on, each a hub, gateways and faults in pretend time, and says which of them failed.

  --seed N      the first seed (1)
  --count K     how many (1)
  --trace       tell the whole story of each
  --json        print the outcome as JSON, and nothing else
  --break NAME  break one promise on purpose, to see it noticed: ${Object.keys(breaks).join(', ')}`)
  process.exit(0)
}
const broken: Break | undefined = Object.entries(breaks).find(([name]) => name === values.break)?.[1]
if (values.break !== undefined && broken === undefined) throw new Error(`breaks are: ${Object.keys(breaks).join(', ')}`)
const first = Number(values.seed)
const count = Number(values.count)
const beganMs = performance.now()
const failed: { seed: number; digest: string; violations: readonly string[] }[] = []
const sums = { writes: 0, acknowledged: 0, messages: 0, lives: 0, pretendMs: 0 }
const digests: string[] = []
const isTerminal = process.stderr.isTTY && !values.trace

for (let seed = first; seed < first + count; seed++) {
  const trace = values.trace ? (line: string) => void process.stdout.write(`${line}\n`) : undefined
  const outcome = await runSeed({ seed, trace, broken })
  sums.writes += outcome.writes
  sums.acknowledged += outcome.acknowledged
  sums.messages += outcome.messages
  sums.lives += outcome.lives
  sums.pretendMs += outcome.tookMs
  digests.push(outcome.digest)
  if (outcome.violations.length > 0) {
    const violations = outcome.violations.map(({ atMs, what }) => `${(atMs / 1_000).toFixed(3)} s: ${what}`)
    failed.push({ seed, digest: outcome.digest, violations })
    if (!values.json) {
      if (isTerminal) process.stderr.write('\r\u001b[K')
      console.log(`seed ${seed} failed; to replay it: npm run simulate -- --seed ${seed} --trace`)
      for (const line of violations.slice(0, 5)) console.log(`  ${line}`)
    }
  }
  if (isTerminal) progress(seed - first + 1)
}

if (isTerminal) process.stderr.write('\r\u001b[K')
const seconds = (performance.now() - beganMs) / 1_000
if (values.json)
  console.log(JSON.stringify({ seeds: count, failed, ...sums, seconds, digest: digests.join(' ').slice(0, 200) }))
else {
  const hours = (sums.pretendMs / 3_600_000).toFixed(1)
  console.log(
    `${count} seeds, ${failed.length} failed: ${sums.acknowledged} entries acknowledged, ${sums.messages} messages, ` +
      `${sums.lives} starts of a process, ${hours} pretend hours in ${seconds.toFixed(1)} s`,
  )
  if (count === 1) console.log(`digest ${digests[0]}`)
}
process.exitCode = failed.length > 0 ? 1 : 0

function progress(done: number): void {
  const width = 30
  const full = Math.round((done / count) * width)
  process.stderr.write(`\r[${'#'.repeat(full)}${'.'.repeat(width - full)}] ${done}/${count}, ${failed.length} failed`)
}
