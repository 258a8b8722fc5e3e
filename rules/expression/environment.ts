/**
 * What the expression language knows: types, operators, and bounds on what is parsed. Each set of variables (and functions,
 * if there are some) has two environments: a strict one that finds mistakes when an expression is read, and a lenient one
 * in which it runs. Numbers mix as people write them (`value * 2`, though CEL has no such product of a double and an int).
 */
import { Environment } from '@marcbachmann/cel-js'

export type VariableType = 'string' | 'bool' | 'double' | 'dyn' | 'timestamp'
export type Variables = Readonly<Record<string, VariableType>>
export type Environments = { readonly strict: Environment; readonly lenient: Environment }

const limits = { maxAstNodes: 500, maxDepth: 32, maxListElements: 100, maxMapEntries: 100, maxCallArguments: 16 }

/** Made once for each set of variables: an environment takes milliseconds. There are as many as there are callers. */
const environments = new WeakMap<Variables, Environments>()

/** `addFunctions` is asked once for each environment of these variables. */
export function environmentsFor(
  variables: Variables,
  addFunctions: (environment: Environment) => void = () => undefined,
): Environments {
  const known = environments.get(variables)
  if (known) return known
  const make = (): Environment => {
    const environment = strictFor(variables)
    addFunctions(environment)
    return environment
  }
  const made = { strict: make(), lenient: leniently(make()) }
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
  environment.registerOperator('double == int: bool', (a: Num, b: Num) => Number(a) === Number(b))
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
