/**
 * Which values a reading may have: a finite number, a switch, a text, or a small object or list. Everything that
 * JSON.parse can return goes in; what comes out is a fault in words, or undefined. Never throws, never recurses deep.
 */
import { valueBytesMax, valueDepthMax } from '../runtime/limits.ts'
import type { Value } from '../runtime/reading.ts'

/** What is wrong with a value, as the end of a sentence ("the value …"), or undefined if it is a `Value`. */
export function valueFault(value: unknown): string | undefined {
  switch (typeof value) {
    case 'number':
      return Number.isFinite(value) ? undefined : 'is not a finite number'
    case 'boolean':
      return undefined
    case 'string':
      return tooLong(value) ? `is a text of more than ${valueBytesMax} bytes` : undefined
    case 'object':
      if (value === null) return 'is null'
      return treeFault(value, 1) ?? sizeFault(value)
    default:
      return 'is missing'
  }
}

/** For callers that have asked `valueFault`. */
export function asValue(checked: unknown): Value {
  return checked as Value
}

function tooLong(text: string): boolean {
  return text.length > valueBytesMax || (text.length * 3 > valueBytesMax && Buffer.byteLength(text) > valueBytesMax)
}

function treeFault(node: object, depth: number): string | undefined {
  if (depth > valueDepthMax) return `is nested more than ${valueDepthMax} deep`
  for (const [key, child] of Object.entries(node)) {
    // An own key of this name is data here, but would set a prototype where somebody copies the object.
    if (key === '__proto__') return 'has a key "__proto__"'
    if (typeof child === 'number' && !Number.isFinite(child)) return 'holds a number that is not finite'
    const fault = typeof child === 'object' && child !== null ? treeFault(child, depth + 1) : undefined
    if (fault) return fault
  }
  return undefined
}

function sizeFault(value: object): string | undefined {
  return tooLong(JSON.stringify(value)) ? `is more than ${valueBytesMax} bytes as JSON` : undefined
}
