/**
 * Rules held against the past: readings of the story go through the judge that judges live ones, one judge for each table,
 * and what it says is gathered. There is no second opinion here: whatever the judge does not know, nobody knows.
 *
 * What differs from the live gateway, and must be said with the result: rows (limits, labels) are as they are now; alerts
 * are not bounded in number; what is latched is acknowledged at once; nobody is told and nothing is switched.
 */
import { Judge } from '../../rules/judge/judge.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { Lookup } from '../../rules/judge/threshold.ts'
import type { Rule } from '../../rules/rule.ts'
import type { PastBatch, PastReading } from './past.ts'
import { Tried } from './tried.ts'

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
}

export class Replay {
  readonly #judges: ReadonlyMap<string, Judge>
  readonly #doors: ReplayDoors
  readonly #story: Story
  readonly #tried: Tried
  #beganMs: number | undefined
  /** Readings of the story proper. */
  readings = 0

  constructor(rules: readonly Rule[], story: Story, doors: ReplayDoors) {
    this.#doors = doors
    this.#story = story
    this.#tried = new Tried(rules, story.fromMs)
    const { origin, lookup, labelsOf } = doors
    const nothing = (): undefined => undefined
    const judgeOf = (table: string): Judge => {
      const ofTable = rules.filter(rule => rule.match.table === table)
      return new Judge(ofTable, { origin, lookup, labelsOf, saved: nothing, mayFire: () => true })
    }
    const tables = new Set(rules.map(rule => rule.match.table))
    this.#judges = new Map([...tables].map(table => [table, judgeOf(table)]))
  }

  judge({ table, readings }: PastBatch): void {
    const judge = this.#judges.get(table)
    const first = readings[0]
    if (!judge || !first) return
    if (this.#beganMs === undefined) this.#begin(first.arrivalMs)
    for (const reading of readings) {
      if (reading.arrivalMs >= this.#story.fromMs) {
        this.readings++
        this.#doors.seen?.(reading)
      }
      const judged = judge.judge(reading)
      if (judged.length > 0) this.#take(judge, judged)
    }
  }

  /** The story is over: what was due by then is judged, and nothing after. */
  end(): ReturnType<Tried['close']> & { readonly left: number } {
    for (const judge of this.#judges.values()) this.#take(judge, judge.advance(this.#story.toMs))
    return { ...this.#tried.close(this.#story.toMs), left: this.#tried.left }
  }

  /** Silence counts from the first reading there is: before that nobody can say whether there was any. */
  #begin(atMs: number): void {
    this.#beganMs = atMs
    for (const judge of this.#judges.values()) judge.resume(atMs, [], [])
  }

  #take(judge: Judge, judged: readonly Judgement[]): void {
    for (const judgement of judged) {
      this.#tried.take(judgement)
      const { verdict, rule, subject } = judgement
      if (verdict.kind !== 'latched') continue
      const { firedMs, atMs } = verdict
      this.#take(judge, judge.acknowledge({ ...subject, rule: rule.id, firedMs }, 'replay', atMs))
    }
  }
}
