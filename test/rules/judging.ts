/** A judge over a log in memory: read in any portions, with timers and commits anywhere, and begun again after a crash. */
import { compileExpression } from '../../rules/expression/compile.ts'
import type { RuleExpression } from '../../rules/expression/scope.ts'
import { type JudgeDoors, Judge, type Recorded } from '../../rules/judge/judge.ts'
import { fillsMax } from '../../rules/judge/limits.ts'
import { type JudgedReading, type JudgedSeries, timeOf } from '../../rules/judge/reading.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import type { Rule } from '../../rules/rule.ts'
import type { Json, Value } from '../../runtime/reading.ts'

export const startMs = Date.UTC(2026, 0, 5, 12)

export function expression(text: string, wants: RuleExpression['gives'] = 'bool'): RuleExpression {
  const compiled = compileExpression(text, { zone: 'UTC', wants })
  if (!compiled.ok) throw new Error(`${text}: ${compiled.fault.message}`)
  return compiled.expression
}

/** One object per series, as a store has it. */
export class SeriesBook {
  readonly #known = new Map<string, JudgedSeries>()

  of(device: string, metric: string, origin = 'gw', unit?: string): JudgedSeries {
    const name = `${origin}/${device}/${metric}/${unit}`
    const series = this.#known.get(name) ?? { table: 'readings', origin, device, metric, unit }
    this.#known.set(name, series)
    return series
  }
}

export type Said = Pick<Judgement, 'verdict' | 'timeMs'> & { readonly device: string; readonly metric: string }

export class Gateway {
  readonly rules: readonly Rule[]
  readonly rows = new Map<string, { value: Json; stamp: number }>()
  readonly labels = new Map<string, Readonly<Record<string, string>>>()
  readonly saved = new Map<string, Json>()
  readonly book = new SeriesBook()
  readonly log: JudgedReading[] = []
  readonly activeMax: number
  judge: Judge
  said: Said[] = []
  recorded: Recorded[] = []
  #position = 0
  #committed = { position: 0, said: 0, recorded: 0 }

  constructor(rules: readonly Rule[], nowMs = startMs, activeMax = Number.POSITIVE_INFINITY) {
    this.rules = rules
    this.activeMax = activeMax
    this.judge = this.#begin(nowMs)
    this.commit()
  }

  /** A reading comes in and is judged at once. */
  send(device: string, metric: string, value: Value, atS: number, ownS?: number, origin?: string): Said[] {
    this.append(this.book.of(device, metric, origin), value, atS, ownS)
    return this.read(1)
  }

  append(series: JudgedSeries, value: Value, atS: number, ownS?: number): void {
    const deviceTimeMs = ownS === undefined ? undefined : startMs + ownS * 1000
    const seq = this.log.length + 1
    this.log.push({ series, value, arrivalMs: startMs + atS * 1000, deviceTimeMs, seq })
  }

  /** Judges so many of the readings that wait. */
  read(count: number): Said[] {
    const before = this.said.length
    for (const reading of this.log.slice(this.#position, this.#position + count)) {
      this.#fill(reading)
      this.#say(this.judge.judge(reading))
      this.#position = reading.seq
    }
    return this.said.slice(before)
  }

  advance(atS: number, askedMax?: number): Said[] {
    const before = this.said.length
    const nowMs = startMs + atS * 1000
    this.#fill(nowMs)
    this.#say(this.judge.advance(nowMs, askedMax))
    return this.said.slice(before)
  }

  commit(): void {
    this.recorded.push(...this.judge.takeRecorded())
    for (const { key, value } of this.judge.takeUnsaved()) {
      if (value === undefined) this.saved.delete(key)
      else this.saved.set(key, JSON.parse(JSON.stringify(value)) as Json)
    }
    this.#committed = { position: this.#position, said: this.said.length, recorded: this.recorded.length }
  }

  /** What was not committed is gone. */
  crash(atS = 0): void {
    const { position, said, recorded } = this.#committed
    this.#position = position
    this.said = this.said.slice(0, said)
    this.recorded = this.recorded.slice(0, recorded)
    this.judge = this.#begin(startMs + atS * 1000)
  }

  get position(): number {
    return this.#position
  }

  #begin(nowMs: number): Judge {
    const doors: JudgeDoors = {
      origin: 'gw',
      lookup: (table, key) => this.rows.get(`${table}/${key}`),
      saved: key => this.saved.get(key),
      labelsOf: device => this.labels.get(device) ?? {},
      mayFire: () => this.judge.counts().firing < this.activeMax,
    }
    const judge = new Judge(this.rules, doors)
    const known = new Set(this.log.slice(0, this.#position).map(({ series }) => series))
    judge.resume(nowMs, this.saved.keys(), known)
    return judge
  }

  #fill(next: JudgedReading | number): void {
    for (let fills = 0; fills < fillsMax; fills++) this.#fillOnce(next)
  }

  #fillOnce(next: JudgedReading | number): void {
    for (const need of this.judge.cold(next)) {
      const fit = this.log.slice(0, this.#position).filter(({ series }) => need.takes(series))
      const timely = fit.filter(reading => !need.isLate(reading)).slice(-need.newest)
      const newestFrom = timely.length < need.newest ? 0 : (timely[0]?.seq ?? 0)
      const { fromMs = Number.POSITIVE_INFINITY } = need
      this.judge.fill(
        need,
        fit.filter(reading => timeOf(reading) >= fromMs || reading.seq >= newestFrom),
      )
    }
  }

  #say(judged: readonly Judgement[]): void {
    for (const { verdict, timeMs, subject } of judged) {
      this.said.push({ verdict, timeMs, device: subject.device, metric: subject.metric })
    }
  }
}

/** `fired d/m@30` in seconds since the beginning. */
export function told(said: readonly Said[]): string[] {
  return said.map(({ verdict, device, metric }) => {
    const { kind, atMs, late, flapping } = verdict
    const marks = [late && 'late ', flapping && 'flapping '].filter(Boolean).join('')
    return `${marks}${kind} ${device}/${metric}@${(atMs - startMs) / 1000}`
  })
}
