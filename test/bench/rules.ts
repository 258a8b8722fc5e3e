/**
 * `npm run bench:rules`: how fast rules judge, what they cost a reading that they do not want, what they weigh, and what a
 * gateway with 8,000 of them does with its processor. See plant.ts for the rules and the readings.
 *
 * The peer is the same rules as plain JavaScript closures, scanned for each reading (closures.ts): what one writes into a
 * function node. It keeps no holds, no state on disk and no origin of a limit. Both sides run in turn in one process, so
 * that both find the compiler in the same mood; figures are medians of the rounds.
 */
import { parseArgs } from 'node:util'
import { closures } from './closures.ts'
import { type Judging, judging } from './judging.ts'
import { live } from './live.ts'
import { measured } from './memory.ts'
import {
  type LimitKind,
  type RuleCount,
  deviceCount,
  deviceName,
  fleet,
  meets,
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

function side(made: Judging): Side {
  const source = fleet()
  made.judge(source.next(deviceCount))
  return {
    judge: () => {
      const entries = source.next(count)
      const before = process.cpuUsage()
      made.judge(entries)
      const { user, system } = process.cpuUsage(before)
      return (user + system) / 1e6
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

/** Nanoseconds for a reading that no rule wants. */
function unwanted(): Figure {
  const none = side(judging([], lookup))
  const many = side(judging(rulesOf(8000, 'literal', 'vibration'), lookup))
  const seconds = inTurn({ many, none })
  const nanoseconds = (took: number): number => (took / count) * 1e9
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

const bar = progress(ruleCounts.length * 3 + 4, !values.json)
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
