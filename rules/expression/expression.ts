/**
 * The expression language: CEL, Google's Common Expression Language, compiled once and then asked often.
 *
 * Promises: what compiles ends, in time bounded by its own length and that of the lists it walks; it reads nothing but
 * the variables that were declared. A fault says where it is, as an offset into the text. Numbers mix as people write
 * them (`value * 2`, though CEL has no such product of a double and an int), and comparing a text with a number is false.
 *
 * It must never be given `matches`, whose regular expressions run backwards for minutes and cannot be bounded here.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import { nearestName } from '../../runtime/document.ts'

export type VariableType = 'string' | 'bool' | 'double' | 'dyn' | 'timestamp'
export type Variables = Readonly<Record<string, VariableType>>

/** What an expression is asked about: an object with its variables as properties (getters are read only if used). */
export type Context = object

export type Predicate = {
  /** The variables that it looks at. */
  readonly mentions: ReadonlySet<string>
  /** Undefined if it has no answer: a field that is not there, a division by zero, a result that is no truth value. */
  readonly test: (context: Context) => boolean | undefined
}

export type ExpressionFault = { readonly message: string; readonly offset: number }
export type CompiledPredicate =
  | { readonly ok: true; readonly predicate: Predicate }
  | { readonly ok: false; readonly fault: ExpressionFault }

/** An expression is a line or two in a file: this is more than anybody reads. */
const textCharactersMax = 4_096
const limits = { maxAstNodes: 500, maxDepth: 32, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 16 }

/** What must not be called, and what to write instead. */
const refusedCalls: ReadonlyMap<string, string> = new Map([
  ['matches', 'regular expressions are not supported: use startsWith, endsWith, contains, or =='],
  ['bind', 'cel.bind is not supported: write the value out'],
])
/** These walk a list. One inside another would multiply their lengths, and lists come from devices. */
const walkingCalls: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/** Compiles an expression whose answer is true or false. */
export function compilePredicate(text: string, variables: Variables): CompiledPredicate {
  if (text.length > textCharactersMax) return refused(`longer than ${textCharactersMax} characters`, 0)
  try {
    const { strict, lenient } = environmentsFor(variables)
    const parsed = strict.parse(text)
    const fault = faultIn(parsed.ast, 0)
    if (fault) return { ok: false, fault }
    const { valid, type, error } = parsed.check()
    if (!valid) return refusedBy(error, variables)
    if (type !== 'bool' && type !== 'dyn') return refused(`the answer is ${plainType(type)}, not true or false`, 0)
    const run = lenient.parse(text)
    const names = namesIn(parsed.ast)
    return {
      ok: true,
      predicate: {
        mentions: new Set(Object.keys(variables).filter(name => names.has(name))),
        test: context => answerOf(run, context),
      },
    }
  } catch (error) {
    return refusedBy(error, variables)
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

type CelFault = { readonly code?: string; readonly summary?: string; readonly range?: { readonly start: number } }

function refusedBy(error: unknown, variables: Variables): CompiledPredicate {
  const { code, summary = String(error), range } = error as CelFault
  return refused(sentenceOf(code, summary, Object.keys(variables)), range?.start ?? 0)
}

function sentenceOf(code: string | undefined, summary: string, names: readonly string[]): string {
  if (code === 'unknown_variable') {
    const name = summary.split(': ')[1] ?? ''
    const nearest = nearestName(name, names)
    return `unknown name "${name}"; ${nearest ? `did you mean "${nearest}"?` : `known names: ${names.join(', ')}`}`
  }
  if (summary.includes('Unexpected token: EOF')) return 'the expression ends too early'
  if (summary === 'Unexpected character: =') return 'a single = compares nothing: write =='
  return summary.slice(0, 1).toLowerCase() + summary.slice(1)
}

function plainType(type: string | undefined): string {
  if (type === 'string') return 'a text'
  return type === 'double' || type === 'int' ? 'a number' : `a ${type ?? 'value'}`
}

/** The first call that is refused, or that walks a list while a list is walked. */
function faultIn(node: ASTNode, walks: number): ExpressionFault | undefined {
  const name = node.op === 'call' || node.op === 'rcall' ? node.args[0] : undefined
  const offset = node.range.start
  const reason = name === undefined ? undefined : refusedCalls.get(name)
  if (reason !== undefined) return { message: reason, offset }
  const isWalk = node.op === 'rcall' && walkingCalls.has(name ?? '')
  if (isWalk && walks > 0) return { message: `${name} may not stand inside another walk over a list`, offset }
  for (const child of childrenOf(node.args)) {
    const fault = faultIn(child, walks + (isWalk ? 1 : 0))
    if (fault) return fault
  }
  return undefined
}

function namesIn(node: ASTNode): ReadonlySet<string> {
  if (node.op === 'id') return new Set([node.args])
  return new Set(childrenOf(node.args).flatMap(child => [...namesIn(child)]))
}

/** The nodes among the arguments of a node, which come in lists of lists beside names and literals. */
function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf)
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : []
}

type Environments = { readonly strict: Environment; readonly lenient: Environment }
/** Made once for each set of variables: an environment takes milliseconds. There are as many as there are callers. */
const environments = new WeakMap<Variables, Environments>()

function environmentsFor(variables: Variables): Environments {
  const known = environments.get(variables)
  if (known) return known
  const made = { strict: strictFor(variables), lenient: leniently(strictFor(variables)) }
  environments.set(variables, made)
  return made
}

const celTypes = {
  string: 'string',
  bool: 'bool',
  double: 'double',
  dyn: 'dyn',
  timestamp: 'google.protobuf.Timestamp',
} as const satisfies Record<VariableType, string>

/** Knows the types, and finds the mistakes: here `device > 80` is one. */
function strictFor(variables: Variables): Environment {
  const environment = new Environment({ limits, homogeneousAggregateLiterals: false })
  for (const [name, type] of Object.entries(variables)) environment.registerVariable(name, celTypes[type])
  for (const [left, right] of [
    ['double', 'int'],
    ['int', 'double'],
  ]) {
    environment.registerOperator(`${left} + ${right}: double`, (a: Num, b: Num) => Number(a) + Number(b))
    environment.registerOperator(`${left} - ${right}: double`, (a: Num, b: Num) => Number(a) - Number(b))
    environment.registerOperator(`${left} * ${right}: double`, (a: Num, b: Num) => Number(a) * Number(b))
    environment.registerOperator(`${left} / ${right}: double`, (a: Num, b: Num) => Number(a) / Number(b))
    environment.registerOperator(`${left} % ${right}: double`, (a: Num, b: Num) => Number(a) % Number(b))
  }
  environment.registerOperator('double % double: double', (a: number, b: number) => a % b)
  return environment
}
type Num = number | bigint

const comparable = ['double', 'int', 'string', 'bool', 'null', 'list', 'map', celTypes.timestamp]
const orders = ['<', '<=', '>', '>='] as const

/** Runs: values of different kinds have no order, so that no comparison of them holds. No error, which costs far more. */
function leniently(environment: Environment): Environment {
  const isNumber = (type: string): boolean => type === 'double' || type === 'int'
  const hasOrder = (type: string): boolean => ['string', 'bool', celTypes.timestamp].includes(type)
  for (const left of comparable) {
    for (const right of comparable) {
      if ((isNumber(left) && isNumber(right)) || (left === right && hasOrder(left))) continue
      for (const order of orders) environment.registerOperator(`${left} ${order} ${right}: bool`, () => false)
    }
  }
  return environment
}
