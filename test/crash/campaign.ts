/**
 * The store's fault campaign: power cuts, failing disks, full disks, kills, damage; as many as one has time for.
 *
 *   node dist/test/crash/campaign.js [--short] [--seed N] [--only power-cut,disk-fault,disk-full,kill,damage] [--json]
 *
 * Promises: a summary of what was done and what was lost, an exit code of 1 if anything was, and the seed to do it again.
 */
import { parseArgs } from 'node:util'
import { fillDisk, mountSmallDisk } from '../rigs/disk-full.ts'
import { buildRecorder } from '../rigs/iorec.ts'
import { faultCases, runFaultCase } from '../rigs/matrix.ts'
import { readingsPerStep } from '../rigs/plan.ts'
import { cutPower } from '../rigs/power-cut.ts'
import { damageCopies } from './damages.ts'
import { killGateways } from './kills.ts'
import type { Counted, Figures, Progress } from './part.ts'

type Part = {
  readonly name: string
  readonly run: (progress: Progress, seed: number, isShort: boolean) => Promise<Counted>
}

const parts: readonly Part[] = [
  { name: 'power-cut', run: powerCuts },
  { name: 'disk-fault', run: diskFaults },
  { name: 'disk-full', run: fullDisks },
  { name: 'kill', run: (progress, seed, isShort) => killGateways(isShort ? 20 : 300, seed, progress) },
  { name: 'damage', run: (progress, seed, isShort) => damageCopies(isShort ? 40 : 1_000, seed, progress) },
]

async function powerCuts(progress: Progress, seed: number, isShort: boolean): Promise<Counted> {
  const long = { steps: 600, paddingBytes: 4_000, packEvery: 20, points: isShort ? 40 : 500, seed }
  // Creation and the first steps, where every single point is tried.
  const first = { steps: isShort ? 2 : 20, paddingBytes: 0, packEvery: 4, points: Number.POSITIVE_INFINITY, seed }
  const half =
    (which: 0 | 1): Progress =>
    (done, all) =>
      progress(which * all + done, all * 2)
  const results = [await cutPower({ ...first, progress: half(0) }), await cutPower({ ...long, progress: half(1) })]
  return {
    rounds: sum(results.map(each => each.states)),
    acknowledged: sum(results.map(each => each.acknowledged * readingsPerStep)),
    missing: sum(results.map(each => each.missing)),
    openedByItself: sum(results.map(each => each.states - each.unopenable)),
    repaired: sum(results.map(each => each.repaired)),
    problems: results.flatMap(each => each.problems),
  }
}

async function diskFaults(progress: Progress, _seed: number, isShort: boolean): Promise<Counted> {
  const cases = isShort ? faultCases.filter((_, index) => index % 4 === 0) : faultCases
  const results = []
  for (const faultCase of cases) {
    results.push(await runFaultCase(faultCase))
    progress(results.length, cases.length)
  }
  return {
    rounds: results.length,
    acknowledged: sum(results.map(each => each.acknowledged)),
    missing: sum(results.map(each => each.missing)),
    openedByItself: results.filter(each => each.opened && each.resumed).length,
    repaired: 0,
    problems: results.flatMap(each => each.problems.map(problem => `${each.name}: ${problem}`)),
  }
}

async function fullDisks(progress: Progress, _seed: number, isShort: boolean): Promise<Counted> {
  const cycles = isShort ? 3 : 25
  const results = []
  for (const [index, fileSystem] of (['ext4', 'tmpfs'] as const).entries()) {
    const disk = mountSmallDisk(fileSystem)
    if (typeof disk === 'string') throw new Error(disk)
    try {
      results.push(
        await fillDisk(disk, { fileSystem, cycles, progress: done => progress(index * cycles + done, cycles * 2) }),
      )
    } finally {
      disk.unmount()
    }
  }
  return {
    rounds: sum(results.map(each => each.cycles)),
    acknowledged: sum(results.map(each => each.acknowledged)),
    missing: sum(results.map(each => each.missing)),
    openedByItself: sum(results.map(each => each.resumed)),
    repaired: 0,
    problems: results.flatMap(each => each.problems),
  }
}

async function campaign(): Promise<number> {
  const { values } = parseArgs({
    options: {
      short: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', default: parts.map(part => part.name).join(',') },
      json: { type: 'boolean', default: false },
    },
  })
  const seed = Number(values.seed)
  const wanted = values.only.split(',')
  const unknown = wanted.find(name => !parts.some(part => part.name === name))
  if (unknown !== undefined || !Number.isInteger(seed)) {
    console.error(`--only knows ${parts.map(part => part.name).join(', ')}; --seed is a whole number`)
    return 1
  }
  buildRecorder()
  const figures: Figures[] = []
  for (const { name, run } of parts.filter(part => wanted.includes(part.name))) {
    const beginMs = performance.now()
    const counted = await run(progressBar(name, values.json), seed, values.short)
    figures.push({ name, ms: Math.round(performance.now() - beginMs), ...counted })
  }
  const holds = figures.every(each => each.missing === 0 && each.problems.length === 0)
  if (values.json) console.log(JSON.stringify({ name: 'campaign:store', seed, holds, parts: figures }))
  else print(figures, seed, holds)
  return holds ? 0 : 1
}

/** One line that fills up, where somebody is watching. */
function progressBar(name: string, isQuiet: boolean): Progress {
  if (isQuiet || !process.stderr.isTTY) return () => undefined
  const width = 40
  return (done, all) => {
    const filled = Math.round((done / all) * width)
    process.stderr.write(`\r${name.padEnd(11)} ${'█'.repeat(filled)}${'░'.repeat(width - filled)} ${done}/${all}`)
    if (done === all) process.stderr.write('\r\u001b[K')
  }
}

function print(figures: readonly Figures[], seed: number, holds: boolean): void {
  const rows = [
    ['fault', 'rounds', 'acknowledged', 'missing', 'opened by itself', 'repaired', 'seconds'],
    ...figures.map(each => [
      each.name,
      ...[each.rounds, each.acknowledged, each.missing, each.openedByItself, each.repaired].map(number =>
        number.toLocaleString('en'),
      ),
      (each.ms / 1000).toFixed(1),
    ]),
  ]
  const widths = (rows[0] as string[]).map((_, column) => Math.max(...rows.map(row => (row[column] as string).length)))
  for (const row of rows) {
    console.log(
      row
        .map((cell, column) =>
          column === 0 ? cell.padEnd(widths[0] as number) : cell.padStart(widths[column] as number),
        )
        .join('  '),
    )
  }
  for (const { name, problems, note } of figures) {
    for (const problem of problems.slice(0, 20)) console.log(`\n${name}: ${problem}`)
    if (note !== undefined) console.log(`\n${name}: ${note}`)
    if (problems.length > 20) console.log(`\n${name}: and ${problems.length - 20} more`)
  }
  console.log(`\n${holds ? 'Nothing acknowledged was lost.' : 'SOMETHING WAS LOST OR BROKEN.'} Seed ${seed}.`)
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)

process.exitCode = await campaign().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  return 1
})
