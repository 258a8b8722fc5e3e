/**
 * Expressions of rules: text in, an expression out that can be asked millions of times, or one fault at its place.
 *
 * Promises: whatever is wrong with it is said when the rule is read, not when a reading comes; what it will need (windows,
 * other series, tables) is known then too. Asking never throws; a question without data has no answer, and costs no more
 * than one with. It must never look at anything but its scope.
 */
import type { ParseResult } from '@marcbachmann/cel-js'
import type { Value } from '../../runtime/reading.ts'
import { wanted } from './answer.ts'
import { about, addFunctions, questionAt, readQuestions } from './calls.ts'
import { closureOf, elsewhere } from './closures.ts'
import { clockFault } from './clock-words.ts'
import { replaceDurations } from './durations.ts'
import { type Variables, environmentsFor } from './environment.ts'
import { type ExpressionFault, faultOf, hostileFault, plainType } from './faults.ts'
import { textCharactersMax } from './limits.ts'
import { needsOf } from './needs.ts'
import { widenNumbers } from './numbers.ts'
import { quotedNumberFault } from './quoted-numbers.ts'
import type { RuleExpression, Scope } from './scope.ts'
import { wallClockIn } from './wall.ts'

export type CompiledExpression =
  | { readonly ok: true; readonly expression: RuleExpression }
  | { readonly ok: false; readonly fault: ExpressionFault }

type Wants = RuleExpression['gives']

const variables: Variables = {
  value: 'dyn',
  device: 'string',
  metric: 'string',
  unit: 'string',
  origin: 'string',
  time: 'timestamp',
}
const variableNames = Object.keys(variables)

/** `zone` is where hours and weekdays are told; it must be one that there is. */
export function compileExpression(
  text: string,
  { zone, wants }: { readonly zone: string; readonly wants: Wants },
): CompiledExpression {
  const clock = wallClockIn(zone)
  if (!clock) return refused(`there is no time zone "${zone}"`, 0)
  if (text.length > textCharactersMax) return refused(`longer than ${textCharactersMax} characters`, 0)
  const replaced = replaceDurations(text)
  if (!replaced.ok) return replaced
  try {
    const { strict, lenient } = environmentsFor(variables, addFunctions)
    const parsed = strict.parse(replaced.text)
    widenNumbers(parsed.ast)
    const read = readQuestions(parsed.ast, text)
    const fault = hostileFault(parsed.ast) ?? read.fault ?? clockFault(parsed.ast) ?? quotedNumberFault(parsed.ast)
    if (fault) return { ok: false, fault }
    const { valid, type, error } = parsed.check()
    if (!valid) return { ok: false, fault: faultOf(error, variableNames) }
    const unwanted = objectionTo(type ?? 'dyn', wants)
    if (unwanted !== undefined) return refused(unwanted, 0)
    const found = needsOf(read.questions)
    if (!found.ok) return found
    const { needs } = found
    const run = lenient.parse(replaced.text)
    widenNumbers(run.ast)
    readQuestions(run.ast, text)
    const closure = closureOf(run.ast, questionAt)
    const evaluate = (scope: Scope): Value | undefined => {
      about.scope = scope
      about.clock = clock
      const answer = closure === undefined ? elsewhere : closure(about)
      return wanted(answer === elsewhere ? answerOf(run) : answer, wants)
    }
    return { ok: true, expression: { text, gives: wants, needs, evaluate } }
  } catch (error) {
    return { ok: false, fault: faultOf(error, variableNames) }
  }
}

function refused(message: string, offset: number): CompiledExpression {
  return { ok: false, fault: { message, offset } }
}

function objectionTo(type: string, wants: Wants): string | undefined {
  if (type === 'dyn') return undefined
  const isNumber = ['double', 'int', 'uint'].includes(type)
  if (wants === 'bool' && type !== 'bool') {
    const hint = isNumber ? ': compare it with something, as in avg(5m) > 80, or give the rule above or below' : ''
    return `the answer is ${plainType(type)}, not true or false${hint}`
  }
  if (wants === 'number' && !isNumber) {
    const hint = type === 'bool' ? ': leave the comparison away, for the rule itself compares it' : ''
    return `the answer is ${plainType(type)}, not a number${hint}`
  }
  const isValue = isNumber || type === 'bool' || type === 'string' || type.startsWith('list') || type.startsWith('map')
  return isValue ? undefined : `the answer is ${plainType(type)}, which is no value of a reading`
}

function answerOf(run: ParseResult): unknown {
  try {
    return run(about)
  } catch {
    // No reading, no row, no such field: whoever asks goes on without an answer.
    return undefined
  }
}
