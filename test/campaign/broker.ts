/**
 * The broker's campaign: a gateway held to 256 MB, honest devices, and every attack there is, one after the other and then
 * all together.
 *
 *   node dist/test/campaign/broker.js [--short] [--seed N] [--seconds PER-ATTACK] [--only fuzz,ATTACK,…,all] [--json]
 *
 * Promises: an exit code of 1 if an acknowledged reading is missing, the gateway died or its memory did not come back; how
 * long honest readings took is told as a distribution beside its target. `--only all` is the last phase alone.
 */
import { parseArgs } from 'node:util'
import { attacks } from '../../firmware-sim/hostile/attacks.ts'
import { type Figure, figure, report } from '../bench/report.ts'
import { type Besieged, backWithin, besiege } from './besieged.ts'
import { fuzzing } from './fuzzing.ts'
import { distributionOf, histogram } from './distribution.ts'

const p99TargetMs = 250
const memoryBytes = 256 * 2 ** 20

const { values } = parseArgs({
  options: {
    short: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    only: { type: 'string', default: '' },
    seconds: { type: 'string', default: '15' },
    json: { type: 'boolean', default: false },
  },
})

async function campaign(): Promise<number> {
  const names = attacks.map(({ name }) => name)
  const [seed, seconds] = [Number(values.seed), Number(values.seconds)]
  const wanted =
    values.only === '' ? (values.short ? ['fuzz', 'all'] : ['fuzz', ...names, 'all']) : values.only.split(',')
  const unknown = wanted.find(name => !['fuzz', 'all', ...names].includes(name))
  if (unknown !== undefined || !Number.isInteger(seed) || !(seconds > 0)) {
    console.error(`--only knows ${['fuzz', ...names, 'all'].join(', ')}; --seed is a whole number, --seconds a number`)
    return 1
  }
  const fuzzed = wanted.includes('fuzz')
    ? await fuzzing(seed, values.short ? 5_000 : 1_000_000, tellProgress)
    : undefined
  const phases = wanted.filter(name => name !== 'fuzz')
  const besieged = phases.length > 0 ? await lay(phases, names, seed, seconds) : undefined
  if (besieged && !values.json) table(besieged)
  const figures = [...(besieged ? figuresOf(besieged) : []), ...(fuzzed?.figures ?? [])]
  const notes = [
    ...(besieged ? [`The gateway was ${besieged.hold}.`, ...besieged.problems] : []),
    ...(fuzzed ? [`Refused while fuzzing, ${fuzzed.causes}`, ...fuzzed.problems] : []),
    `Seed ${seed}.`,
  ]
  report('broker', figures, notes, values.json)
  if (besieged && !values.json) draw(besieged)
  // How long something took is told, and fails nothing: this machine may have had other things to do.
  return figures.every(({ figure: name, holds }) => holds !== false || name.startsWith('PUBACK')) ? 0 : 1
}

function lay(phases: readonly string[], names: readonly string[], seed: number, seconds: number): Promise<Besieged> {
  return besiege({
    phases: phases.map(name => ({ name, attacks: name === 'all' ? names : [name] })),
    seed,
    memoryBytes,
    devices: 20,
    everyMs: 200,
    ...(values.short
      ? { calmSeconds: 2, attackSeconds: 4, settleSeconds: 4 }
      : { calmSeconds: 20, attackSeconds: seconds, settleSeconds: seconds + 5 }),
    onPhase: name => {
      if (!values.json) console.error(name)
    },
  })
}

function tellProgress(engine: string, share: number): void {
  if (!values.json) console.error(`fuzz, ${engine}: ${Math.round(share * 100)} %`)
}

const attacked = ({ phases }: Besieged): number[] => phases.slice(1).flatMap(({ latenciesMs }) => [...latenciesMs])

function figuresOf(besieged: Besieged): Figure[] {
  const all = distributionOf(attacked(besieged))
  const calm = distributionOf(besieged.phases[0]?.latenciesMs ?? [])
  const worst = Math.max(...besieged.phases.slice(1).map(({ latenciesMs }) => distributionOf(latenciesMs).p99))
  const back = Math.max(...besieged.phases.map(({ memoryMb }) => memoryMb.after)) / besieged.calmMb
  const within = (most: number, unit: string) => ({
    text: `at most ${most}${unit}`,
    holds: (ours: number) => ours <= most,
  })
  return [
    figure('PUBACK p50 under attack, ms', all.p50, null),
    figure('PUBACK p90 under attack, ms', all.p90, null),
    figure('PUBACK p99 under attack, ms', all.p99, null, within(p99TargetMs, ' ms')),
    figure('PUBACK p99 of the worst phase, ms', worst, null, within(p99TargetMs, ' ms')),
    figure('PUBACK longest under attack, ms', all.max, null),
    figure('PUBACK p99 without attackers, ms', calm.p99, null),
    figure('honest readings acknowledged', besieged.acknowledged),
    figure('of them missing', besieged.missing, null, within(0, '')),
    figure('of them stored twice', besieged.twice),
    figure('never acknowledged', besieged.unacknowledged),
    figure('reconnects of honest devices', besieged.reconnects),
    figure('memory before, MB', besieged.calmMb),
    figure('memory at its peak, MB', Math.max(...besieged.phases.map(({ memoryMb }) => memoryMb.peak))),
    figure('memory after the worst phase / before', back, null, within(backWithin, '')),
    figure('gateway died', besieged.problems.length, null, within(0, '')),
  ]
}

function draw(besieged: Besieged): void {
  console.log('\nFrom a reading to its PUBACK, honest devices under attack:')
  for (const line of histogram(attacked(besieged), 'ms')) console.log(line)
}

function table(besieged: Besieged): void {
  const rows = [
    ['phase', 'PUBACKs', 'p50', 'p90', 'p99', 'max ms', 'MB before', 'peak', 'after', 'refused by the gateway'],
    ...besieged.phases.map(({ name, latenciesMs, memoryMb, refused }) => {
      const { count, p50, p90, p99, max } = distributionOf(latenciesMs)
      const numbers = [p50, p90, p99, max].map(number => number.toFixed(1))
      const memory = [memoryMb.before, memoryMb.peak, memoryMb.after].map(number => number.toFixed(0))
      const causes = Object.entries(refused).map(([cause, times]) => `${cause.replace('refused_', '')}: ${times}`)
      return [name, String(count), ...numbers, ...memory, causes.join(', ')]
    }),
  ]
  const last = (rows[0]?.length ?? 0) - 1
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map(row => row[column]?.length ?? 0)))
  for (const row of rows) {
    const cells = row.map((cell, column) =>
      column === 0 || column === last
        ? cell.padEnd(column === 0 ? (widths[0] ?? 0) : 0)
        : cell.padStart(widths[column] ?? 0),
    )
    console.log(cells.join('  ').trimEnd())
  }
}

// Ended from outside it still ends what it has started.
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1))

process.exitCode = await campaign().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 1
})
