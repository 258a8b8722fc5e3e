/**
 * What is wrong with an expression, in plain words and at its place: what must not be called, what could take long, names
 * that nobody knows, kinds of values that do not go together. A fault says where it is, as an offset into the text.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { nearestName } from '../../runtime/document.ts'

export type ExpressionFault = { readonly message: string; readonly offset: number }

/** What must not be called, and what to write instead. */
const refusedCalls: ReadonlyMap<string, string> = new Map([
  ['matches', 'regular expressions are not supported: use startsWith, endsWith, contains, or =='],
  ['bind', 'cel.bind is not supported: write the value out'],
])
/** These walk a list. One inside another would multiply their lengths, and lists come from devices. */
const walkingCalls: ReadonlySet<string> = new Set(['all', 'exists', 'exists_one', 'map', 'filter'])

/** The first call that is refused, or that walks a list while a list is walked. */
export function hostileFault(node: ASTNode, walks = 0): ExpressionFault | undefined {
  const name = node.op === 'call' || node.op === 'rcall' ? node.args[0] : undefined
  const offset = node.range.start
  const reason = name === undefined ? undefined : refusedCalls.get(name)
  if (reason !== undefined) return { message: reason, offset }
  const isWalk = node.op === 'rcall' && walkingCalls.has(name ?? '')
  if (isWalk && walks > 0) return { message: `${name} may not stand inside another walk over a list`, offset }
  for (const child of childrenOf(node.args)) {
    const fault = hostileFault(child, walks + (isWalk ? 1 : 0))
    if (fault) return fault
  }
  return undefined
}

/** The nodes among the arguments of a node, which come in lists of lists beside names and literals. */
export function childrenOf(args: unknown): ASTNode[] {
  if (Array.isArray(args)) return args.flatMap(childrenOf)
  return typeof args === 'object' && args !== null && 'op' in args ? [args as ASTNode] : []
}

type CelFault = { readonly code?: string; readonly summary?: string; readonly range?: { readonly start: number } }

/** The complaint of the expression library in our words; `names` are the variables that there are. */
export function faultOf(error: unknown, names: readonly string[]): ExpressionFault {
  const { code, summary = String(error), range } = error as CelFault
  return { message: sentenceOf(code, summary, names), offset: range?.start ?? 0 }
}

function sentenceOf(code: string | undefined, summary: string, names: readonly string[]): string {
  if (code === 'unknown_variable') return unknownName(summary.split(': ')[1] ?? '', names)
  if (summary.includes('Unexpected token: EOF')) return 'the expression ends too early'
  if (summary === 'Unexpected character: =') return 'a single = compares nothing: write =='
  if (summary === 'has() invalid argument') return 'has looks at a field of a variable, such as has(value.x)'
  if (code === 'no_such_overload') return mismatch(summary.slice('no such overload: '.length)) ?? summary
  const branches = /^ternary branches must have the same type, got '(.*)' and '(.*)'$/i.exec(summary)
  if (branches) return branchWords(plainType(branches[1]), plainType(branches[2]))
  const operand = /^Logical operator requires bool operands, got '(.*)'$/.exec(summary)?.[1]
  if (operand !== undefined) return `&& and || take what is true or false, not ${plainType(operand)}`
  return summary.slice(0, 1).toLowerCase() + summary.slice(1)
}

const branchWords = (left: string, right: string): string =>
  left === right
    ? 'both sides of ? : must be numbers of one kind: write double(…) around the whole number'
    : `both sides of ? : must be of one kind, not ${left} and ${right}`

/** A name that is not known, with the nearest that is, or all of them where none is near. */
export function unknownName(name: string, names: readonly string[], what = 'name'): string {
  const nearest = nearestName(name, names)
  const hint = nearest === undefined ? `known ${what}s: ${names.join(', ')}` : `did you mean "${nearest}"?`
  return `unknown ${what} "${name}"; ${hint}`
}

/** `string > int` and `-string`, as the library writes what does not go together. */
function mismatch(operation: string): string | undefined {
  const binary = /^(\S+) (==|!=|<=|>=|[-<>+*/%]|in) (\S+)$/.exec(operation)
  if (binary) {
    const [, left, operator = '', right] = binary
    if (operator === 'in' && right?.startsWith('list')) return `${plainType(left)} is never in a list of another kind`
    if (operator === 'in') return `"in" looks into a list, not into ${plainType(right)}`
    const verb = /[=<>]/.test(operator) ? 'compared' : 'calculated'
    return `${plainType(left)} and ${plainType(right)} cannot be ${verb} with ${operator}`
  }
  const unary = /^([!-])(\S+)$/.exec(operation)
  if (!unary) return undefined
  return unary[1] === '!'
    ? `! takes what is true or false, not ${plainType(unary[2])}`
    : `a minus takes a number, not ${plainType(unary[2])}`
}

const plainTypes: ReadonlyMap<string, string> = new Map([
  ['string', 'a text'],
  ['double', 'a number'],
  ['int', 'a number'],
  ['uint', 'a number'],
  ['bool', 'true or false'],
  ['null', 'null'],
  ['google.protobuf.Timestamp', 'a time'],
  ['google.protobuf.Duration', 'a duration'],
])

export function plainType(type: string | undefined): string {
  const plain = plainTypes.get(type ?? '')
  if (plain !== undefined) return plain
  if (type?.startsWith('list')) return 'a list'
  if (type?.startsWith('map')) return 'an object'
  return `a ${type ?? 'value'}`
}
