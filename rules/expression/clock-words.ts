/**
 * Texts that a clock never shows: `weekday() == "monday"` and `time_of_day() > "9:30"` would be false for ever, or at the
 * wrong hours, and nobody would notice before the night it was meant for.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { nearestName } from '../../runtime/document.ts'
import { type ExpressionFault, childrenOf } from './faults.ts'
import { weekdays } from './wall.ts'

const comparisons: ReadonlySet<string> = new Set(['==', '!=', '<', '<=', '>', '>=', 'in'])

/** The first text that is compared with a weekday or a time of day and can never be one. */
export function clockFault(node: ASTNode): ExpressionFault | undefined {
  const children = childrenOf(node.args)
  const [left, right] = children
  if (comparisons.has(node.op) && left && right) {
    const objection = objectionTo(left, right) ?? objectionTo(right, left)
    if (objection) return objection
  }
  for (const child of children) {
    const fault = clockFault(child)
    if (fault) return fault
  }
  return undefined
}

function objectionTo(clock: ASTNode, compared: ASTNode): ExpressionFault | undefined {
  const name = clock.op === 'call' ? clock.args[0] : ''
  if (name !== 'weekday' && name !== 'time_of_day') return undefined
  for (const node of compared.op === 'list' ? compared.args : [compared]) {
    if (node.op !== 'value' || typeof node.args !== 'string') continue
    const message = name === 'weekday' ? notWeekday(node.args) : notTime(node.args)
    if (message !== undefined) return { message, offset: node.range.start }
  }
  return undefined
}

function notWeekday(text: string): string | undefined {
  if ((weekdays as readonly string[]).includes(text)) return undefined
  const meant = weekdays.find(day => text.toLowerCase().startsWith(day)) ?? nearestName(text, weekdays)
  return `weekday() is never "${text}"${meant === undefined ? '' : `; did you mean "${meant}"?`}`
}

function notTime(text: string): string | undefined {
  if (/^(?:[01]\d|2[0-3]):[0-5]\d$/.test(text)) return undefined
  const [, hour = '', minute = '00'] = /^(\d?\d)(?::(\d\d))?$/.exec(text) ?? []
  const meant = hour === '' ? '06:30' : `${hour.padStart(2, '0')}:${minute}`
  return `time_of_day() has two digits for the hour and two for the minute, such as "${meant}", not "${text}"`
}
