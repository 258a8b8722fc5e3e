/**
 * `npm run bench:query`: reading back, with 10 million readings stored, beside SQLite with an index (query-sides.ts says
 * in which form). Both sides are asked in turn in one process, warm: what is asked was read before. Cold: opened anew, the
 * files not in the page cache, the first question. Figures are medians, in milliseconds; before anything is measured both
 * sides must give the same answers.
 */
import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { type ProgressBar, openProgressBar } from '../../runtime/commands/progress-bar.ts'
import { type Answer, type Kept, type Side, bytesOf, forget, installPeer, ours, sqlite } from './query-sides.ts'
import { type Figure, figure, report } from './report.ts'
import { endMs as endOf, fastDevice, slowDevice, slowDevices, startMs } from './stored.ts'

const { values } = parseArgs({
  options: {
    json: { type: 'boolean', default: false },
    rows: { type: 'string', default: '10000000' },
    rounds: { type: 'string', default: '15' },
    /** Of the cold figures: each opens both databases anew. */
    cold: { type: 'string', default: '5' },
    /** Where the databases are made; the folder of temporary files if none is named. */
    folder: { type: 'string' },
  },
})
const rows = Number(values.rows)
const rounds = Number(values.rounds)
const say = (text: string): void => {
  if (!values.json) console.error(text)
}
const dayMs = 86_400_000
const minuteMs = 60_000
const endMs = endOf(rows)

type Question = {
  readonly name: string
  readonly ask: (side: Side, turn: number) => Promise<Answer>
  /** Asked so often in one measurement, of changing devices or times: what takes microseconds cannot be timed alone. */
  readonly times: number
  readonly target: { readonly text: string; readonly holds: (ratio: number) => boolean } | null
}

const noSlower = { text: 'no slower', holds: (ratio: number): boolean => ratio <= 1 }
const questions: readonly Question[] = [
  {
    name: `last 60 s of one device, 10 Hz (600 readings)`,
    ask: side => side.range(fastDevice, endMs - minuteMs, endMs),
    times: 50,
    target: { text: 'at least five times faster', holds: ratio => ratio <= 0.2 },
  },
  {
    name: 'last 60 s of one device, every 10 s (6 readings)',
    ask: (side, turn) => side.range(slowDevice((turn * 37) % slowDevices), endMs - minuteMs, endMs),
    times: 50,
    target: null,
  },
  {
    name: '60 s of one device, 10 Hz, some hours ago',
    ask: (side, turn) => {
      const fromMs = startMs + Math.floor(((turn * 7) % 20) * 0.05 * (endMs - startMs))
      return side.range(fastDevice, fromMs, fromMs + minuteMs)
    },
    times: 20,
    target: null,
  },
  {
    name: 'a day of one device, 10 Hz (864,000 readings)',
    ask: side => side.range(fastDevice, endMs - dayMs, endMs),
    times: 1,
    target: noSlower,
  },
  {
    name: 'a day of one device, every 10 s (8,640 readings)',
    ask: (side, turn) => side.range(slowDevice((turn * 37) % slowDevices), endMs - dayMs, endMs),
    times: 10,
    target: null,
  },
  {
    name: `latest of ${slowDevices.toLocaleString('en')} devices`,
    ask: side => side.latest(),
    times: 10,
    target: noSlower,
  },
]

const median = (numbers: readonly number[]): number =>
  numbers.toSorted((a, b) => a - b)[Math.floor(numbers.length / 2)] ?? Number.NaN

const bar: ProgressBar = openProgressBar(process.stderr, () => performance.now())

async function load(kept: Kept): Promise<number> {
  say(`loading ${rows.toLocaleString('en')} readings into ${kept.name}`)
  const beganMs = performance.now()
  await kept.load(rows, done => bar.show({ bytes: done, rows: done, ofBytes: rows }))
  bar.end()
  return (performance.now() - beganMs) / 1_000
}

async function same([left, right]: readonly [Side, Side]): Promise<void> {
  for (const { name, ask } of questions) {
    for (const turn of [0, 1]) {
      const [ourAnswer, theirAnswer] = [await ask(left, turn), await ask(right, turn)]
      assert.ok(ourAnswer.times.length > 0, name)
      assert.deepEqual(ourAnswer.times, theirAnswer.times, name)
      assert.deepEqual(ourAnswer.values, theirAnswer.values, name)
    }
  }
}

async function timed(question: Question, side: Side, round: number): Promise<number> {
  const beganMs = performance.now()
  for (let time = 0; time < question.times; time++) await question.ask(side, round * question.times + time)
  return (performance.now() - beganMs) / question.times
}

/** Milliseconds of each side, each round of both in turn. */
async function warm(question: Question, sides: readonly [Side, Side]): Promise<readonly [number, number]> {
  const took: readonly [number[], number[]] = [[], []]
  // The compiler is warm as well.
  for (let round = 0; round < 3; round++) for (const side of sides) await timed(question, side, round)
  for (let round = 0; round < rounds; round++) {
    for (const [at, side] of sides.entries()) took[at as 0 | 1].push(await timed(question, side, round))
  }
  return [median(took[0]), median(took[1])]
}

/** Milliseconds of the first question after the files were forgotten, and of opening before it. */
async function cold(kept: Kept, question: Question): Promise<{ readonly openMs: number; readonly askMs: number }> {
  forget(kept)
  const beganMs = performance.now()
  const side = await kept.open()
  const openMs = performance.now() - beganMs
  const askMs = await timed({ ...question, times: 1 }, side, 0)
  await side.close()
  return { openMs, askMs }
}

async function coldFigures(kepts: readonly [Kept, Kept]): Promise<Figure[]> {
  const opening: readonly [number[], number[]] = [[], []]
  const figures: Figure[] = []
  for (const question of questions.filter(({ target }) => target !== null)) {
    const asking: readonly [number[], number[]] = [[], []]
    for (let round = 0; round < Number(values.cold); round++) {
      for (const [at, kept] of kepts.entries()) {
        const { openMs, askMs } = await cold(kept, question)
        opening[at as 0 | 1].push(openMs)
        asking[at as 0 | 1].push(askMs)
      }
    }
    figures.push(figure(`${question.name}, cold, ms`, median(asking[0]), median(asking[1])))
  }
  return [...figures, figure('opening, cold, ms', median(opening[0]), median(opening[1]))]
}

async function main(folder: string): Promise<void> {
  installPeer(say)
  const kepts = [ours(folder), sqlite(folder)] as const
  const seconds = [await load(kepts[0]), await load(kepts[1])] as const
  const sides = [await kepts[0].open(), await kepts[1].open()] as const
  await same(sides)
  const figures: Figure[] = []
  for (const question of questions) {
    say(question.name)
    const [left, right] = await warm(question, sides)
    figures.push(figure(`${question.name}, ms`, left, right, question.target))
  }
  for (const side of sides) await side.close()
  say('cold')
  figures.push(...(await coldFigures(kepts)))
  figures.push(figure('bytes a reading on disk', bytesOf(kepts[0]) / rows, bytesOf(kepts[1]) / rows))
  figures.push(figure('loading, readings a second', rows / seconds[0], rows / seconds[1]))
  report(
    'query',
    figures,
    [
      `${rows.toLocaleString('en')} readings stored: one device at 10 Hz, ${slowDevices.toLocaleString('en')} every ten seconds. Medians of ${rounds} rounds, both sides in turn in one process.`,
      'Peer: SQLite by better-sqlite3, names as integers, index on (device, metric, time, value), 256 MiB of cache, mapped into memory; it is loaded without syncing. Ours syncs each commit.',
    ],
    values.json,
  )
}

const folder = mkdtempSync(join(values.folder ?? tmpdir(), 'holdfast-bench-query-'))
try {
  await main(folder)
} finally {
  rmSync(folder, { recursive: true })
}
