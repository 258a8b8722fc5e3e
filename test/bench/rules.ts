/**
 * `npm run bench:rules`: how fast rules judge, what they cost a reading that they do not want, what they weigh, and what a
 * gateway with 8,000 of them does with its processor. See plant.ts for the rules and the readings.
 *
 * The peer is the same rules as plain JavaScript closures, scanned for each reading (closures.ts): what one writes into a
 * function node. It keeps no holds, no state on disk and no origin of a limit. Both sides run in turn in one process, so
 * that both find the compiler in the same mood; figures are medians of the rounds.
 */
import { parseArgs } from 'node:util'
import type { Rule } from '../../rules/rule.ts'
import { closures } from './closures.ts'
import { type Judging, judging } from './judging.ts'
import { live } from './live.ts'
import { longRun } from './long-run.ts'
import { measured } from './memory.ts'
import {
  type LimitKind,
  type RuleCount,
  deviceCount,
  deviceName,
  fleet,
  limitOf,
  meets,
  readRules,
  ruleCounts,
  rulesOf,
  thresholds,
} from './plant.ts'
import { progress } from './progress.ts'
import { type Figure, figure, report } from './report.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    /** Readings a measurement. */
    count: { type: 'string', default: '200000' },
    rounds: { type: 'string', default: '5' },
    /** Of the measurements at 800 readings a second, each. */
    seconds: { type: 'string', default: '10' },
    /** Of the long run, pretend. */
    hours: { type: 'string', default: '6' },
  },
})
const count = Number(values.count)
const rounds = Number(values.rounds)
const pace = { perSecond: 800, seconds: Number(values.seconds) }

const rows = thresholds()
const lookup = (table: string, key: string): ReturnType<typeof rows.get> =>
  table === 'thresholds' ? rows.get(key) : undefined

/** CPU seconds for `count` readings, after one of each device has been seen: others may be at work on the machine. */
type Side = { readonly judge: () => number }

function timed(work: () => void): Side {
  return {
    judge: () => {
      const before = process.cpuUsage()
      work()
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1e6
    },
  }
}

function side(made: Judging): Side {
  const source = fleet()
  made.judge(source.next(deviceCount))
  return {
    judge: () => {
      const entries = source.next(count)
      return timed(() => made.judge(entries)).judge()
    },
  }
}

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

/** Each side in turn, so many rounds; the median CPU seconds of each. */
function inTurn<Name extends string>(sides: Readonly<Record<Name, Side>>): Record<Name, number> {
  const names = Object.keys(sides) as Name[]
  const seconds = new Map(names.map(name => [name, [] as number[]]))
  for (let round = 0; round < rounds; round++) for (const name of names) seconds.get(name)?.push(sides[name].judge())
  return Object.fromEntries(names.map(name => [name, median(seconds.get(name) ?? [])])) as Record<Name, number>
}

const million = { text: 'at least 1,000,000', holds: (rate: number): boolean => rate >= 1e6 }

function evaluations(rules: RuleCount, limit: LimitKind): Figure {
  const ours = side(judging(rulesOf(rules, limit), lookup))
  const peer = side(closures(rules, limit === 'row' ? key => rows.get(key)?.value : undefined))
  const seconds = inTurn({ ours, peer })
  const perSecond = (took: number): number => (count * meets[rules]) / took
  const what = limit === 'literal' ? 'literal limits' : 'limits out of rows'
  const told = figure(
    `evaluations per CPU second, ${rules.toLocaleString('en')} rules, ${what}`,
    perSecond(seconds.ours),
    perSecond(seconds.peer),
  )
  return { ...told, target: million.text, holds: million.holds(told.ours) }
}

function memory(rules: RuleCount): Figure[] {
  const parsed = rulesOf(rules, 'literal')
  const first = fleet().next(deviceCount)
  const { made, bytes } = measured(() => {
    const made = judging(parsed, lookup)
    const beganMs = performance.now()
    made.judge(first)
    return { made, tookMs: performance.now() - beganMs }
  })
  const tracks = deviceCount * meets[rules]
  const name = `${rules.toLocaleString('en')} rules over 1,000 devices`
  return [
    figure(`${name}: MB of ${tracks.toLocaleString('en')} tracks`, bytes / 2 ** 20),
    figure(`${name}: bytes an idle track`, bytes / tracks),
    figure(`${name}: ms for the first reading of every device`, made.tookMs),
  ]
}

/** Ten rules for every device. */
const asking = (expression: (index: number) => string): readonly Rule[] =>
  readRules(
    Array.from({ length: 10 }, (_, index) => {
      return `{ alert: Asks${index}, match: { metric: temperature }, expr: "${expression(index)}" }`
    }),
  )

/** Without moments: each reading asks each of them once. */
function expressions(): Figure[] {
  const sides = {
    windows: side(
      judging(
        asking(index => `avg(5m) > ${limitOf(index)}`),
        lookup,
      ),
    ),
    several: side(
      judging(
        asking(index => `avg(${index + 1}m) > ${limitOf(index)}`),
        lookup,
      ),
    ),
    plain: side(
      judging(
        asking(index => `value * 1.0 > ${limitOf(index)}`),
        lookup,
      ),
    ),
  }
  const { windows, several, plain } = inTurn(sides)
  const perSecond = (took: number): number => (count * 10) / took
  return [
    figure(
      'expressions per CPU second, 10 ask one window; peer: 10 that ask the value',
      perSecond(windows),
      perSecond(plain),
    ),
    figure(
      'expressions per CPU second, 10 ask ten windows; peer: 10 that ask the value',
      perSecond(several),
      perSecond(plain),
    ),
  ]
}

/** What a window of five minutes takes once it is full. */
function windowMemory(): Figure {
  const full = (rules: readonly Rule[]): number => {
    const { bytes } = measured(() => {
      const made = judging(rules, lookup)
      const source = fleet()
      for (let second = 0; second < 600; second++) made.judge(source.next(deviceCount))
      return made
    })
    return bytes
  }
  const one = (expression: string): readonly Rule[] =>
    readRules([`{ alert: Asks, match: { metric: temperature }, expr: "${expression}" }`])
  const more = full(one('avg(5m) > 100.0')) - full(one('value > 100.0'))
  return figure('bytes a window of 5 minutes at one reading a second', more / deviceCount)
}

function longMemory(): Figure {
  const hours = Math.max(3, Number(values.hours))
  const { bytesInUse } = longRun(hours)
  const [early, late] = [bytesInUse[1] ?? Number.NaN, bytesInUse.at(-1) ?? Number.NaN]
  return figure(
    `MB after ${hours} pretend hours of ten kinds of rules; peer: the same after two`,
    late / 2 ** 20,
    early / 2 ** 20,
    { text: 'at most 1.1', holds: ratio => ratio <= 1.1 },
  )
}

/** Nanoseconds for a reading that no rule wants: the same readings again and again, for what is measured is small. */
function unwanted(): Figure {
  const entries = fleet().next(count)
  const again = 20
  const sideOf = (rules: readonly Rule[]): Side => {
    const made = judging(rules, lookup)
    return timed(() => {
      for (let time = 0; time < again; time++) made.judge(entries)
    })
  }
  const seconds = inTurn({ many: sideOf(rulesOf(8000, 'literal', 'vibration')), none: sideOf([]) })
  const nanoseconds = (took: number): number => (took / count / again) * 1e9
  return figure(
    'ns a reading that none of 8,000 rules wants; peer: without rules',
    nanoseconds(seconds.many),
    nanoseconds(seconds.none),
    {
      text: 'about 1',
      holds: ratio => ratio < 1.5,
    },
  )
}

/** A tenth of the devices is too hot all the time: readings violate, and nothing new is raised. */
const steady = (n: number) => {
  const device = n % deviceCount
  return { device: deviceName(device), metric: 'temperature', value: device % 10 === 3 ? 40 : 20 + (n % 7) / 10 }
}
/** Every device is hot for one reading in ten: with 8 rules each, so many alerts begin and end. */
const restless = (n: number) => {
  const device = n % deviceCount
  const turn = Math.floor(n / deviceCount) + device
  return { device: deviceName(device), metric: 'temperature', value: turn % 10 === 3 ? 40 : 20 }
}

async function gateway(): Promise<Figure[]> {
  const rules = rulesOf(8000, 'literal')
  bar.step('a gateway with 8,000 rules at 800 readings a second')
  const ours = await live(rules, deviceCount, steady, pace)
  bar.step('the same without rules')
  const none = await live([], deviceCount, steady, pace)
  bar.step('the same with alerts')
  const storm = await live(rules, deviceCount, restless, pace)
  const under10 = { text: 'under 10', holds: (): boolean => ours.cpuPercent < 10 }
  return [
    figure(
      '% of a core, 8,000 rules, 800 readings/s, store and all; peer: without rules',
      ours.cpuPercent,
      none.cpuPercent,
      under10,
    ),
    figure(
      `the same while ${Math.round(storm.alerts / pace.seconds)} alerts a second begin, and end`,
      storm.cpuPercent,
      none.cpuPercent,
    ),
  ]
}

const bar = progress(ruleCounts.length * 3 + 7, !values.json)
const figures: Figure[] = []
for (const limit of ['literal', 'row'] as const) {
  for (const rules of ruleCounts) {
    bar.step(`evaluations, ${rules} rules, ${limit}`)
    figures.push(evaluations(rules, limit))
  }
}
bar.step('readings that no rule wants')
figures.push(unwanted())
for (const rules of ruleCounts) {
  bar.step(`memory, ${rules} rules`)
  figures.push(...memory(rules))
}
bar.step('expressions')
figures.push(...expressions())
bar.step('memory of windows')
figures.push(windowMemory())
bar.step('memory over pretend hours')
figures.push(longMemory())
figures.push(...(await gateway()))
bar.end()
report(
  'rules',
  figures,
  [
    `Medians of ${rounds} rounds of ${count.toLocaleString('en')} readings of ${deviceCount.toLocaleString('en')} devices; a reading meets ${ruleCounts.map(rules => `${meets[rules]} of ${rules.toLocaleString('en')}`).join(', ')} rules, and a tenth of them is above the limit.`,
    'Peer, unless it says otherwise: the same rules as JavaScript closures, all asked for each reading; without holds, saved state or the origin of a limit.',
  ],
  values.json,
)
