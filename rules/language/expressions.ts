/**
 * The expressions of rule files: which answer each must give, and what is wrong with them, with its place in the text.
 * Pure. Every text is compiled once for all files, however many rules share it.
 */
import type { Path } from '../../runtime/document.ts'
import { type CompiledExpression, compileExpression } from '../expression/compile.ts'
import type { RuleExpression } from '../expression/scope.ts'
import { plainFault } from './hints.ts'
import { type Fault, has, mapOf, type RuleOutline, textOf } from './outline.ts'

type Wants = RuleExpression['gives']

export type Expressions = {
  readonly compile: (text: string, wants: Wants) => CompiledExpression
  /** One that has been found good. */
  readonly good: (text: string, wants: Wants) => RuleExpression
}

export function expressionsIn(zone: string): Expressions {
  const known = new Map<string, CompiledExpression>()
  const compile = (text: string, wants: Wants): CompiledExpression => {
    const key = `${wants} ${text}`
    const compiled = known.get(key) ?? plainly(text, compileExpression(text, { zone, wants }))
    known.set(key, compiled)
    return compiled
  }
  const good = (text: string, wants: Wants): RuleExpression => {
    const compiled = compile(text, wants)
    if (!compiled.ok) throw new Error(`not found by the checks: ${compiled.fault.message}`)
    return compiled.expression
  }
  return { compile, good }
}

function plainly(text: string, compiled: CompiledExpression): CompiledExpression {
  return compiled.ok ? compiled : { ok: false, fault: plainFault(text, compiled.fault) }
}

/** What is wrong with the expressions of one rule. */
export function expressionFaults(rule: RuleOutline, path: Path, { compile }: Expressions): Fault[] {
  return expressionKeys(rule).flatMap(({ key, text, wants }) => {
    const place = [...path, key]
    const compiled = compile(text, wants)
    if (compiled.ok)
      return subjectFaults(rule, compiled.expression).map(message => ({ path: place, message: `"${key}": ${message}` }))
    const { message, offset } = compiled.fault
    return [{ path: place, offset, message: `"${key}": ${message}` }]
  })
}

/** The expressions that a rule holds, and the answers that it needs of them. */
function expressionKeys(rule: RuleOutline): { key: string; text: string; wants: Wants }[] {
  const [expr, clear] = [textOf(rule['expr']), textOf(rule['clear'])]
  if (expr === undefined || expr === '') return []
  if (has(rule, 'record')) return [{ key: 'expr', text: expr, wants: 'any' }]
  if (has(rule, 'above') || has(rule, 'below')) return [{ key: 'expr', text: expr, wants: 'number' }]
  const violated = { key: 'expr', text: expr, wants: 'bool' } as const
  return clear === undefined || clear === '' ? [violated] : [violated, { key: 'clear', text: clear, wants: 'bool' }]
}

/** Questions about one device where the rule stands for many, and about many where it stands for one. */
function subjectFaults(rule: RuleOutline, { needs }: RuleExpression): string[] {
  if (needs.own.devices && rule['per'] !== 'all') {
    return ['devices() counts the devices of a group, and this rule looks at one: say per: all']
  }
  const device = textOf(mapOf(rule['match'])?.['device']) ?? '*'
  if (rule['per'] !== 'all' || !device.includes('*')) return []
  const other = needs.others.find(each => each.device === undefined)
  return [
    ...(needs.labels ? ['label() asks for one device, and per: all stands for many'] : []),
    ...(other
      ? [`per: all stands for many devices: say whose "${other.metric}", as in last("pump-1", "${other.metric}")`]
      : []),
  ]
}
