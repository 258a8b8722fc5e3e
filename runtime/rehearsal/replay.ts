/**
 * Rules held against the past: readings of the story go through the judge that judges live ones, one judge for each table,
 * and what it says is gathered. There is no second opinion here: whatever the judge does not know, nobody knows.
 *
 * What differs from the live gateway, and must be said with the result: rows (limits, labels) are as they are now; alerts
 * are not bounded in number; what is latched is acknowledged at once; nobody is told and nothing is switched. What rules
 * record is made anew and judged in turn; readings of the same name that are stored are passed over.
 */
import { Judge, type Recorded } from '../../rules/judge/judge.ts'
import { fillsMax } from '../../rules/judge/limits.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { Lookup } from '../../rules/judge/threshold.ts'
import type { Rule } from '../../rules/rule.ts'
import type { PastBatch, PastReading, PastSeries } from './past.ts'
import { Recent } from './recent.ts'
import { Tried, type TriedStory } from './tried.ts'
import { expressionsOf } from './wanted.ts'

export type ReplayDoors = {
  readonly origin: string
  readonly lookup: Lookup
  readonly labelsOf: (device: string) => Readonly<Record<string, string>>
  /** Each reading that belongs to the story proper, before it is judged: for pictures. */
  readonly seen?: ((reading: PastReading) => void) | undefined
}

export type Story = {
  readonly fromMs: number
  readonly toMs: number
  /** How long before it readings are judged so that nothing begins in the middle. */
  readonly beforeMs: number
}

/** One reading may be recorded as another, and that again: a file whose rules go round in a circle comes to an end here. */
const recordedDeepMax = 8

type Bench = { readonly judge: Judge; readonly recent: Recent | undefined }

export class Replay {
  readonly #benches: ReadonlyMap<string, Bench>
  readonly #doors: ReplayDoors
  readonly #story: Story
  readonly #tried: Tried
  /** What the rules record themselves: table and metric. */
  readonly #made: ReadonlySet<string>
  readonly #recordedSeries = new Map<string, PastSeries>()
  readonly #known: PastSeries[] = []
  #hasBegun = false
  #seq = 0
  #nowMs = 0
  /** Readings of the story proper. */
  readings = 0

  constructor(rules: readonly Rule[], story: Story, doors: ReplayDoors) {
    this.#doors = doors
    this.#story = story
    this.#tried = new Tried(rules, story.fromMs)
    this.#made = new Set(rules.flatMap(rule => (rule.kind === 'record' ? [madeKey(rule)] : [])))
    const tables = new Set(rules.map(rule => rule.match.table))
    const ofTable = (table: string): Rule[] => rules.filter(rule => rule.match.table === table)
    this.#benches = new Map([...tables].map(table => [table, benchOf(ofTable(table), story, doors)]))
  }

  judge({ table, readings, known }: PastBatch): void {
    this.#known.push(...known)
    const bench = this.#benches.get(table)
    const first = readings[0]
    if (!bench || !first) return
    if (!this.#hasBegun) this.#begin(first.arrivalMs)
    for (const reading of readings) {
      if (this.#made.size > 0 && this.#made.has(madeKey({ table, metric: reading.series.metric }))) continue
      if (reading.arrivalMs >= this.#story.fromMs) {
        this.readings++
        this.#doors.seen?.(reading)
      }
      this.#judgeOne(bench, reading, 0)
    }
  }

  /** The story is over: what was due by then is judged, and nothing after. */
  end(): TriedStory {
    for (const bench of this.#benches.values()) this.#advance(bench, this.#story.toMs)
    return this.#tried.close(this.#story.toMs)
  }

  /** All series of the tables are known from the start: a sensor that is silent all along is known to be. */
  #begin(atMs: number): void {
    this.#hasBegun = true
    const startMs = Math.max(atMs, this.#story.fromMs - this.#story.beforeMs)
    for (const [table, { judge }] of this.#benches) {
      judge.resume(
        startMs,
        [],
        this.#known.filter(series => series.table === table),
      )
    }
  }

  #judgeOne(bench: Bench, reading: PastReading, deep: number): void {
    const { judge, recent } = bench
    this.#seq = reading.seq
    this.#nowMs = reading.arrivalMs
    if (recent) {
      // One moment after the other, each with what it asks about; of peers the clocks are their own.
      if (reading.series.origin === this.#doors.origin) this.#advance(bench, reading.arrivalMs - 1)
      this.#warm(bench, reading)
    }
    const judged = judge.judge(reading)
    recent?.add(reading)
    if (judged.length > 0) this.#take(judge, judged)
    if (this.#made.size > 0) this.#judgeRecorded(judge, deep)
  }

  #advance(bench: Bench, toMs: number): void {
    const { judge, recent } = bench
    for (;;) {
      const dueMs = judge.nextDueMs()
      if (dueMs === undefined || dueMs > toMs) return
      if (recent) this.#warm(bench, dueMs)
      this.#nowMs = Math.max(this.#nowMs, dueMs)
      this.#take(judge, judge.advance(dueMs))
      this.#judgeRecorded(judge, 0)
    }
  }

  /** Histories that nobody has asked for yet, filled as the live gateway fills them from its store. */
  #warm({ judge, recent }: Bench, next: PastReading | number): void {
    for (let fills = 0; fills < fillsMax; fills++) {
      for (const need of judge.cold(next)) judge.fill(need, recent?.of(need) ?? [])
    }
  }

  #judgeRecorded(judge: Judge, deep: number): void {
    for (const recorded of judge.takeRecorded()) {
      this.#tried.record(recorded)
      const bench = this.#benches.get(recorded.table)
      if (bench && deep < recordedDeepMax) this.#judgeOne(bench, this.#readingOf(recorded), deep + 1)
    }
  }

  #readingOf({ table, device, metric, value, timeMs, atMs }: Recorded): PastReading {
    const name = [table, device, metric].join('\0')
    const series = this.#recordedSeries.get(name) ?? {
      table,
      origin: this.#doors.origin,
      device,
      metric,
      unit: undefined,
    }
    this.#recordedSeries.set(name, series)
    return { series, value, arrivalMs: atMs, deviceTimeMs: timeMs, seq: this.#seq }
  }

  #take(judge: Judge, judged: readonly Judgement[]): void {
    for (const judgement of judged) {
      this.#tried.take(judgement, this.#nowMs)
      const { verdict, rule, subject } = judgement
      if (verdict.kind !== 'latched') continue
      const { firedMs, atMs } = verdict
      this.#take(judge, judge.acknowledge({ ...subject, rule: rule.id, firedMs }, 'replay', atMs))
    }
  }
}

function benchOf(rules: readonly Rule[], { beforeMs }: Story, { origin, lookup, labelsOf }: ReplayDoors): Bench {
  const judge = new Judge(rules, { origin, lookup, labelsOf, saved: () => undefined, mayFire: () => true })
  const remembers = rules.some(rule => expressionsOf(rule).length > 0)
  return { judge, recent: remembers ? new Recent(beforeMs) : undefined }
}

const madeKey = ({ table, metric }: { readonly table: string; readonly metric: string }): string =>
  `${table}\0${metric}`
