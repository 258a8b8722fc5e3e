/**
 * `where`: which entries of a table are chosen, in the expression language. Says which names an expression may use about a
 * reading and about a row. Pure; compiled once for each place that chooses, because one subject is looked at at a time.
 */
import type { Json, Value } from '../../runtime/reading.ts'
import type { Variables } from './environment.ts'
import { type CompiledPredicate, compilePredicate } from './expression.ts'
import type { ExpressionFault } from './faults.ts'

export type WhereReading = {
  readonly device: string
  readonly metric: string
  readonly unit: string | undefined
  readonly value: Value
  readonly origin: string
  readonly timeMs: number
}
export type WhereRow = {
  readonly key: string
  readonly value: Json | undefined
  readonly origin: string
  readonly timeMs: number
}

/** Undefined: the expression has no answer for this one, such as when a field is not there. It is not chosen. */
type Choose<Subject> = (subject: Subject) => boolean | undefined
export type CompiledWhere<Subject> =
  | { readonly ok: true; readonly choose: Choose<Subject>; readonly mentions: ReadonlySet<string> }
  | { readonly ok: false; readonly fault: ExpressionFault }

const readingVariables: Variables = {
  device: 'string',
  metric: 'string',
  unit: 'string',
  value: 'dyn',
  origin: 'string',
  time: 'timestamp',
}
const rowVariables: Variables = { key: 'string', row: 'dyn', origin: 'string', time: 'timestamp' }

export function compileReadingWhere(text: string): CompiledWhere<WhereReading> {
  const about = new AboutReading()
  return chooserOf(compilePredicate(text, readingVariables), about)
}

export function compileRowWhere(text: string): CompiledWhere<WhereRow> {
  const about = new AboutRow()
  return chooserOf(compilePredicate(text, rowVariables), about)
}

/** What is asked about is laid into one object that stays: a million readings make no million objects. */
function chooserOf<Subject>(compiled: CompiledPredicate, about: { of: Subject }): CompiledWhere<Subject> {
  if (!compiled.ok) return compiled
  const { test, mentions } = compiled.predicate
  const choose = (subject: Subject): boolean | undefined => {
    about.of = subject
    return test(about)
  }
  return { ok: true, choose, mentions }
}

class AboutReading {
  of!: WhereReading
  get device(): string {
    return this.of.device
  }
  get metric(): string {
    return this.of.metric
  }
  get unit(): string {
    return this.of.unit ?? ''
  }
  get value(): Value {
    return this.of.value
  }
  get origin(): string {
    return this.of.origin
  }
  get time(): Date {
    return new Date(this.of.timeMs)
  }
}

class AboutRow {
  of!: WhereRow
  get key(): string {
    return this.of.key
  }
  get row(): Json {
    return this.of.value ?? null
  }
  get origin(): string {
    return this.of.origin
  }
  get time(): Date {
    return new Date(this.of.timeMs)
  }
}
