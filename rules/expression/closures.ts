/**
 * The common part of the language as plain functions, several times faster than walking its tree, and without an error
 * object where there is no answer: numbers, texts, switches and objects, compared, calculated and combined, and our own
 * functions.
 *
 * Promises: it never decides what the language would decide otherwise. What it does not know is not made into a function
 * (undefined), and where values of other kinds meet than it knows it says so (`elsewhere`); then the library is asked for
 * the whole expression. One thing is told otherwise on purpose: a division by zero has no answer, and is not infinite.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import type { Asked, Question } from './questions.ts'

/** Undefined is no answer; `elsewhere` that the library must be asked. */
export type Closure = (asked: Asked) => unknown
export const elsewhere = Symbol('elsewhere')

type QuestionOf = (node: ASTNode) => Question | undefined

/** Undefined if it holds something that is not known here. */
export function closureOf(node: ASTNode, questionOf: QuestionOf): Closure | undefined {
  const of = (child: ASTNode): Closure | undefined => closureOf(child, questionOf)
  switch (node.op) {
    case 'value':
      return literal(node.args)
    case 'id':
      return variables.get(node.args)
    case '.':
      return mapped(of(node.args[0]), field(node.args[1]))
    case '[]':
      return element(of(node.args[0]), node.args[1])
    case '!_':
      return mapped(of(node.args), value => (typeof value === 'boolean' ? !value : undefined))
    case '-_':
      return mapped(of(node.args), value => (typeof value === 'number' ? -value : elsewhere))
    case '||':
      return either(of(node.args[0]), of(node.args[1]), true)
    case '&&':
      return either(of(node.args[0]), of(node.args[1]), false)
    case '?:':
      return choice(of(node.args[0]), of(node.args[1]), of(node.args[2]))
    case 'in':
      return node.args[1].op === 'list' ? mapped(of(node.args[0]), amongst(node.args[1].args)) : undefined
    case 'call':
      return question(questionOf(node), of)
    case 'rcall':
      return textCall(node, of)
    case 'list':
    case 'map':
    case '.?':
    case '[?]':
      return undefined
    default:
      return binary(node, of)
  }
}

const variables: ReadonlyMap<string, Closure> = new Map<string, Closure>([
  ['value', asked => asked.scope.own.value],
  ['device', asked => asked.scope.device],
  ['metric', asked => asked.scope.metric],
  ['unit', asked => asked.scope.unit ?? ''],
  ['origin', asked => asked.scope.origin],
])

function literal(value: unknown): Closure | undefined {
  const plain = plainOf(value)
  return plain === undefined ? undefined : () => plain
}

/** Whole numbers are numbers here; those that a double cannot hold stay where they are exact. */
function plainOf(value: unknown): string | number | boolean | undefined {
  if (typeof value === 'bigint') {
    const number = Number(value)
    return Number.isSafeInteger(number) ? number : undefined
  }
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? value : undefined
}

/** Whether nothing comes of an operation, because nothing, or `elsewhere`, went in. */
const isNothing = (value: unknown): value is undefined | typeof elsewhere => value === undefined || value === elsewhere

function mapped(inner: Closure | undefined, map: ((value: unknown) => unknown) | undefined): Closure | undefined {
  if (!inner || !map) return undefined
  return asked => {
    const value = inner(asked)
    return isNothing(value) ? value : map(value)
  }
}

function field(name: string): (value: unknown) => unknown {
  return value => {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, name)) return undefined
    return Array.isArray(value) ? undefined : (value as { readonly [key: string]: unknown })[name]
  }
}

function element(inner: Closure | undefined, index: ASTNode): Closure | undefined {
  const at = index.op === 'value' ? plainOf(index.args) : undefined
  if (typeof at === 'string') return mapped(inner, field(at))
  return typeof at === 'number' && Number.isInteger(at)
    ? mapped(inner, value => (Array.isArray(value) ? value[at] : elsewhere))
    : undefined
}

/** `||` decides on true and `&&` on false, from whichever side it comes, and whatever the other side lacks. */
function either(left: Closure | undefined, right: Closure | undefined, decides: boolean): Closure | undefined {
  if (!left || !right) return undefined
  return asked => {
    const first = left(asked)
    if (first === decides || first === elsewhere) return first
    const second = right(asked)
    if (second === decides || second === elsewhere) return second
    return first === !decides && second === !decides ? !decides : undefined
  }
}

function choice(
  condition: Closure | undefined,
  yes: Closure | undefined,
  no: Closure | undefined,
): Closure | undefined {
  if (!condition || !yes || !no) return undefined
  return asked => {
    const answer = condition(asked)
    if (answer === true) return yes(asked)
    if (answer === false) return no(asked)
    return answer === elsewhere ? elsewhere : undefined
  }
}

/** Whether a value is one of those that are written out. */
function amongst(elements: readonly ASTNode[]): ((value: unknown) => unknown) | undefined {
  const known = elements.map(element => (element.op === 'value' ? plainOf(element.args) : undefined))
  if (known.includes(undefined)) return undefined
  const set = new Set<unknown>(known)
  return value => (typeof value === 'object' ? elsewhere : set.has(value))
}

function question(asking: Question | undefined, of: (node: ASTNode) => Closure | undefined): Closure | undefined {
  if (!asking) return undefined
  const { answer, given } = asking
  if (given.length === 0) return answer
  const closures = given.map(({ node }) => of(node))
  const [first, second, third] = closures
  if (!first || closures.includes(undefined)) return undefined
  return asked => {
    const one = first(asked)
    const two = second?.(asked)
    const three = third?.(asked)
    if (one === elsewhere || two === elsewhere || three === elsewhere) return elsewhere
    // What is given and has no answer leaves the question without one.
    if (one === undefined || (second && two === undefined) || (third && three === undefined)) return undefined
    return answer(asked, one, two, three)
  }
}

const textCalls: ReadonlyMap<string, (text: string, part: string) => boolean> = new Map([
  ['startsWith', (text: string, part: string) => text.startsWith(part)],
  ['endsWith', (text: string, part: string) => text.endsWith(part)],
  ['contains', (text: string, part: string) => text.includes(part)],
])

function textCall(node: ASTNode & { op: 'rcall' }, of: (node: ASTNode) => Closure | undefined): Closure | undefined {
  const [name, receiver, args] = node.args
  const call = textCalls.get(name)
  const [argument] = args
  if (!call || !argument || args.length > 1) return undefined
  return joined(of(receiver), of(argument), (text, part) =>
    typeof text === 'string' && typeof part === 'string' ? call(text, part) : elsewhere,
  )
}

function joined(
  left: Closure | undefined,
  right: Closure | undefined,
  join: (left: unknown, right: unknown) => unknown,
): Closure | undefined {
  if (!left || !right) return undefined
  return asked => {
    const first = left(asked)
    if (isNothing(first)) return first
    const second = right(asked)
    return isNothing(second) ? second : join(first, second)
  }
}

type Pair<Kind> = (left: Kind, right: Kind) => unknown

const calculations: ReadonlyMap<string, Pair<number>> = new Map<string, Pair<number>>([
  ['+', (left, right) => left + right],
  ['-', (left, right) => left - right],
  ['*', (left, right) => left * right],
  ['/', (left, right) => (right === 0 ? undefined : left / right)],
  ['%', (left, right) => (right === 0 ? undefined : left % right)],
])

const orders: ReadonlyMap<string, Pair<number | string>> = new Map<string, Pair<number | string>>([
  ['<', (left, right) => left < right],
  ['<=', (left, right) => left <= right],
  ['>', (left, right) => left > right],
  ['>=', (left, right) => left >= right],
])

function binary(node: ASTNode, of: (node: ASTNode) => Closure | undefined): Closure | undefined {
  const [left, right] = node.args as readonly [ASTNode, ASTNode]
  const calculate = calculations.get(node.op)
  if (calculate) {
    // Two whole numbers are calculated as such by the library, with a fault where they become too large.
    if (isWhole(left) && isWhole(right)) return undefined
    const isSum = node.op === '+'
    return joined(of(left), of(right), (first, second) => {
      if (typeof first === 'number' && typeof second === 'number') return calculate(first, second)
      return isSum && typeof first === 'string' && typeof second === 'string' ? first + second : elsewhere
    })
  }
  const order = orders.get(node.op)
  if (order) return joined(of(left), of(right), (first, second) => ordered(order, first, second))
  if (node.op === '==') return joined(of(left), of(right), equal)
  if (node.op !== '!=') return undefined
  return joined(of(left), of(right), (first, second) => {
    const answer = equal(first, second)
    return answer === elsewhere ? elsewhere : !answer
  })
}

const isWhole = (node: ASTNode): boolean =>
  (node.op === 'value' && typeof node.args === 'bigint') || (node.op === '-_' && isWhole(node.args))

function ordered(order: Pair<number | string>, left: unknown, right: unknown): unknown {
  if (typeof left === 'number') {
    if (typeof right === 'number') return order(left, right)
    return typeof right === 'string' ? false : elsewhere
  }
  if (typeof left !== 'string') return elsewhere
  if (typeof right === 'string') return order(left, right)
  return typeof right === 'number' ? false : elsewhere
}

/** Numbers, texts and switches are equal to their like alone; what lists and objects are to each other is said elsewhere. */
function equal(left: unknown, right: unknown): boolean | typeof elsewhere {
  return typeof left === 'object' || typeof right === 'object' ? elsewhere : left === right
}
