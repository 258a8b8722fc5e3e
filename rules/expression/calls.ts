/**
 * How calls of our functions get into the expression language, and from there to the scope. A call with arguments is a macro
 * of the library: it is handed the arguments as they were written, not their values, so that durations and names are read
 * once. What it asks is found before the expression is checked or run, and kept by its node.
 */
import { type ASTNode, Environment } from '@marcbachmann/cel-js'
import type { Value } from '../../runtime/reading.ts'
import { type ExpressionFault, childrenOf, plainType, unknownName } from './faults.ts'
import type { Found } from './needs.ts'
import { type Asked, type Question, questionNames, questionOf } from './questions.ts'

/** Thrown where a question has no answer: one for all, for a new one with its stack would cost microseconds. */
const noAnswer = new Error('no answer')

/** What the variables of an expression are read from; one for all, because one expression is asked at a time. */
class About implements Asked {
  scope!: Asked['scope']
  clock!: Asked['clock']
  get value(): Value {
    const { value } = this.scope.own
    if (value === undefined) throw noAnswer
    return value
  }
  get device(): string {
    return this.scope.device
  }
  get metric(): string {
    return this.scope.metric
  }
  get unit(): string {
    return this.scope.unit ?? ''
  }
  get origin(): string {
    return this.scope.origin
  }
  get time(): Date {
    return new Date(this.scope.own.timeMs ?? this.scope.nowMs)
  }
}
export const about = new About()

/** What the library gives to a macro; its own declarations say no more than `any`. */
type Expansion = { readonly ast: ASTNode }
type Checker = {
  check(node: ASTNode, context: unknown): { readonly name: string }
  getType(name: string): unknown
  createError(code: string, message: string, node: ASTNode): Error
}
type Runner = { run(node: ASTNode, context: unknown): unknown }

/** Adds all functions to a language. */
export function addFunctions(environment: Environment): void {
  for (const [name, most] of questionNames) {
    for (let count = 1; count <= most; count++) {
      const signature = `${name}(${Array.from({ length: count }, () => 'ast').join(', ')}): dyn`
      environment.registerFunction(signature, expand)
    }
    addWithout(environment, name)
  }
}

/** Calls without arguments are no macros: what they ask is in their name. */
function addWithout(environment: Environment, name: string): void {
  const asking = questionOf(name, nowhere, [], '')
  if (!asking?.ok) return
  const { gives, answer } = asking.question
  environment.registerFunction(`${name}(): ${gives}`, () => orNoAnswer(answer(about)), { async: false })
}
const nowhere = { range: { start: 0, end: 0 } } as ASTNode

function expand({ ast }: Expansion): object {
  return { ast, question: undefined, async: false, typeCheck: checkCall, evaluate: runCall }
}
type Macro = { readonly ast: ASTNode; question: Question | undefined }

function checkCall(checker: Checker, { ast }: Macro, context: unknown): unknown {
  const question = questions.get(ast)
  for (const { node, type } of question?.given ?? []) {
    const { name } = checker.check(node, context)
    if (!fits(name, type)) {
      const wanted = type === 'double' ? 'a number' : type === 'string' ? 'a text' : 'a number or a text'
      throw checker.createError('wrong_argument', `${wanted} belongs here, not ${plainType(name)}`, node)
    }
  }
  return checker.getType(question?.gives ?? 'dyn')
}

function fits(name: string, type: Question['given'][number]['type']): boolean {
  const isNumber = name === 'double' || name === 'int'
  return name === 'dyn' || (type !== 'double' && name === 'string') || (type !== 'string' && isNumber)
}

function runCall(runner: Runner, macro: Macro, context: unknown): unknown {
  const question = (macro.question ??= questions.get(macro.ast))
  if (question === undefined) throw noAnswer
  const [first, second, third] = question.given
  return orNoAnswer(
    question.answer(
      about,
      first && runner.run(first.node, context),
      second && runner.run(second.node, context),
      third && runner.run(third.node, context),
    ),
  )
}

function orNoAnswer(answer: unknown): unknown {
  if (answer === undefined) throw noAnswer
  return answer
}

const builtIn = builtInNames()

/** What the language itself has: functions, and methods that follow a point. */
function builtInNames(): { readonly functions: ReadonlySet<string>; readonly methods: ReadonlySet<string> } {
  const { functions } = new Environment().getDefinitions()
  const named = (isMethod: boolean): ReadonlySet<string> =>
    new Set(functions.filter(({ receiverType }) => (receiverType !== null) === isMethod).map(({ name }) => name))
  return { functions: named(false), methods: named(true) }
}

/** The question of each call of ours, by its node: found before anything is checked or run. */
const questions = new WeakMap<object, Question>()

export const questionAt = (node: ASTNode): Question | undefined => questions.get(node)

export type Read = { readonly questions: readonly Found[]; readonly fault: ExpressionFault | undefined }

/** All questions of an expression, and the first that makes no sense; calls and durations that nobody knows too. */
export function readQuestions(root: ASTNode, text: string): Read {
  const found: Found[] = []
  let fault: ExpressionFault | undefined
  const visit = (node: ASTNode): void => {
    if (node.op === 'call') {
      const [name, args] = node.args
      const asking = questionOf(name, node, args, text)
      if (asking?.ok) {
        questions.set(node, asking.question)
        found.push({ question: asking.question, offset: node.range.start })
        for (const { node: given } of asking.question.given) visit(given)
        return
      }
      if (asking) fault ??= asking.fault
      else if (!builtIn.functions.has(name)) {
        fault ??= { message: unknownName(name, [...questionNames.keys()], 'function'), offset: node.range.start }
      }
    }
    if (node.op === 'rcall' && !builtIn.methods.has(node.args[0])) {
      fault ??= { message: unknownMethod(node.args[0]), offset: node.range.start }
    }
    if (node.op === 'id' && /^\d/.test(text.slice(node.range.start))) {
      const written = text.slice(node.range.start, node.range.end)
      fault ??= {
        message: `the duration ${written} stands alone: write avg(${written}), say`,
        offset: node.range.start,
      }
    }
    childrenOf(node.args).forEach(visit)
  }
  visit(root)
  return { questions: found, fault }
}

function unknownMethod(name: string): string {
  if (questionNames.has(name)) return `${name} does not follow a point: write it as a function, such as ${name}(…)`
  return unknownName(name, [...builtIn.methods], 'method')
}
