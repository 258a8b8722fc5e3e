/** The values of a series as a test writes them. Pure. */
import type { Json, Value } from '../../runtime/reading.ts'
import { parseNotation, valuesOf } from './notation.ts'

/** A notation, or a list in which each value stands for itself and null for no reading: undefined, here as there. */
export function valuesIn(values: string | number | boolean | readonly Json[]): readonly (Value | undefined)[] {
  if (typeof values === 'string') {
    const parsed = parseNotation(values)
    return parsed.ok ? valuesOf(parsed.items) : []
  }
  return typeof values === 'object' ? values.map(value => value ?? undefined) : [values]
}

/** How many there are, without writing them out. */
export function countIn(values: string | number | boolean | readonly Json[]): number {
  if (typeof values !== 'string') return typeof values === 'object' ? values.length : 1
  const parsed = parseNotation(values)
  return parsed.ok ? parsed.items.reduce((sum, { times }) => sum + times, 0) : 0
}
