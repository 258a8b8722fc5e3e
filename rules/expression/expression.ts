/**
 * The expression language: CEL, Google's Common Expression Language, compiled once and then asked often.
 *
 * Promises: what compiles ends, in time bounded by its own length and that of the lists it walks; it reads nothing but
 * the variables that were declared. A fault says where it is, as an offset into the text. Numbers mix as people write
 * them (`value * 2`, though CEL has no such product of a double and an int), and comparing a text with a number is false.
 *
 * It must never be given `matches`, whose regular expressions run backwards for minutes and cannot be bounded here.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type Variables, environmentsFor } from './environment.ts'
import { type ExpressionFault, childrenOf, faultOf, hostileFault, plainType } from './faults.ts'
import { textCharactersMax } from './limits.ts'

/** What an expression is asked about: an object with its variables as properties (getters are read only if used). */
export type Context = object

export type Predicate = {
  /** The variables that it looks at. */
  readonly mentions: ReadonlySet<string>
  /** Undefined if it has no answer: a field that is not there, a division by zero, a result that is no truth value. */
  readonly test: (context: Context) => boolean | undefined
}

export type CompiledPredicate =
  | { readonly ok: true; readonly predicate: Predicate }
  | { readonly ok: false; readonly fault: ExpressionFault }

/** Compiles an expression whose answer is true or false. */
export function compilePredicate(text: string, variables: Variables): CompiledPredicate {
  if (text.length > textCharactersMax) return refused(`longer than ${textCharactersMax} characters`, 0)
  const known = Object.keys(variables)
  try {
    const { strict, lenient } = environmentsFor(variables)
    const parsed = strict.parse(text)
    const fault = hostileFault(parsed.ast)
    if (fault) return { ok: false, fault }
    const { valid, type, error } = parsed.check()
    if (!valid) return { ok: false, fault: faultOf(error, known) }
    if (type !== 'bool' && type !== 'dyn') return refused(`the answer is ${plainType(type)}, not true or false`, 0)
    const run = lenient.parse(text)
    const names = namesIn(parsed.ast)
    return {
      ok: true,
      predicate: {
        mentions: new Set(known.filter(name => names.has(name))),
        test: context => answerOf(run, context),
      },
    }
  } catch (error) {
    return { ok: false, fault: faultOf(error, known) }
  }
}

function answerOf(run: (context: Context) => unknown, context: Context): boolean | undefined {
  try {
    const answer = run(context)
    return typeof answer === 'boolean' ? answer : undefined
  } catch {
    // Only about this one subject: whoever asks counts it.
    return undefined
  }
}

function refused(message: string, offset: number): CompiledPredicate {
  return { ok: false, fault: { message, offset } }
}

function namesIn(node: ASTNode): ReadonlySet<string> {
  if (node.op === 'id') return new Set([node.args])
  return new Set(childrenOf(node.args).flatMap(child => [...namesIn(child)]))
}
