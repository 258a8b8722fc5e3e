/**
 * What all parts of one run share: pretend time, the seeded random sources, the story as it is told, and what went
 * against a promise.
 */
import { createHash } from 'node:crypto'
import type { Log } from '../../runtime/log.ts'
import { type Random, randomOf } from '../rigs/random.ts'
import { Timeline } from './timeline.ts'

export type Violation = { readonly atMs: number; readonly what: string }

/** One violation leads to the next: the first few tell it. */
const violationsMax = 20

export class World {
  readonly seed: number
  readonly timeline = new Timeline()
  readonly violations: Violation[] = []
  readonly #story = createHash('sha256')
  readonly #trace: ((line: string) => void) | undefined
  lines = 0
  firstViolationAtMs = Number.POSITIVE_INFINITY

  constructor(seed: number, trace: ((line: string) => void) | undefined) {
    this.seed = seed
    this.#trace = trace
    this.timeline.onThrow = error => this.violate(`an event threw: ${(error as Error).stack ?? String(error)}`)
  }

  /** A source of its own for each part, so that one more throw of the dice here changes nothing there. */
  random(part: number): Random {
    return randomOf(this.seed, part)
  }

  note(line: string): void {
    const whole = `${this.timeline.nowMs.toFixed(3)} ${line}`
    this.#story.update(whole)
    this.#story.update('\n')
    this.lines++
    this.#trace?.(whole)
  }

  violate(what: string): void {
    this.note(`VIOLATION ${what}`)
    this.firstViolationAtMs = Math.min(this.firstViolationAtMs, this.timeline.nowMs)
    if (this.violations.length < violationsMax) this.violations.push({ atMs: this.timeline.nowMs, what })
  }

  /** The same seed tells the same story, byte for byte: this is how one sees it. */
  digest(): string {
    return this.#story.copy().digest('hex').slice(0, 16)
  }

  log(name: string, heard: (fields: Record<string, unknown>, text: string) => void = () => {}): Log {
    const say =
      (level: string) =>
      (fields: unknown, text?: string): void => {
        const known = typeof fields === 'object' && fields !== null ? (fields as Record<string, unknown>) : {}
        const said = text ?? String(fields)
        this.note(`${name} ${level}: ${said} ${JSON.stringify(known)}`)
        heard(known, said)
      }
    const log: Log = {
      debug: say('debug'),
      info: say('info'),
      warn: say('warn'),
      error: say('error'),
      child: () => log,
    }
    return log
  }
}
