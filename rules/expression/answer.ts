/** What came out of an expression, as the rule wants it: true or false, a number, or a value that a reading may have. Pure. */
import { valueBytesMax, valueDepthMax } from '../../runtime/limits.ts'
import type { Json, Value } from '../../runtime/reading.ts'
import type { RuleExpression } from './scope.ts'

/** Undefined where it is none. */
export function wanted(answer: unknown, wants: RuleExpression['gives']): Value | undefined {
  switch (wants) {
    case 'bool':
      return typeof answer === 'boolean' ? answer : undefined
    case 'number': {
      const number = typeof answer === 'bigint' ? Number(answer) : answer
      // `+ 0` turns -0 into 0: JSON knows only one zero.
      return typeof number === 'number' && Number.isFinite(number) ? number + 0 : undefined
    }
    case 'any':
      return recordable(valueOf(answer, 0))
  }
}

/** What a device could not have sent is not recorded either: too long, or nothing. */
function recordable(value: Json | undefined): Value | undefined {
  if (value === undefined || value === null) return undefined
  if (typeof value === 'number' || typeof value === 'boolean') return value
  const text = typeof value === 'string' ? value : JSON.stringify(value)
  return Buffer.byteLength(text) <= valueBytesMax ? value : undefined
}

/** As JSON would carry it: whole numbers of CEL are numbers like others. Undefined if it is nothing that a reading can be. */
function valueOf(answer: unknown, depth: number): Json | undefined {
  if (answer === null || typeof answer === 'string' || typeof answer === 'boolean') return answer
  if (typeof answer === 'bigint' || typeof answer === 'number') {
    const number = Number(answer)
    return Number.isFinite(number) ? number + 0 : undefined
  }
  if (depth === valueDepthMax) return undefined
  if (Array.isArray(answer)) {
    const values = answer.map(value => valueOf(value, depth + 1))
    return values.every(value => value !== undefined) ? values : undefined
  }
  if (typeof answer !== 'object' || Object.getPrototypeOf(answer) !== Object.prototype) return undefined
  const entries = Object.entries(answer).map(([key, value]) => [key, valueOf(value, depth + 1)] as const)
  return entries.every(([, value]) => value !== undefined) ? (Object.fromEntries(entries) as Json) : undefined
}
