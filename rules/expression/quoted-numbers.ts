/**
 * Numbers in quotes: `value > "80"` compares texts, so that no reading that is a number would ever be greater, and nobody
 * would notice. Only what has an order is looked at: a device may well send the text "80", to be compared with ==. Pure.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { type ExpressionFault, childrenOf } from './faults.ts'

const orders: ReadonlySet<string> = new Set(['<', '<=', '>', '>='])

/** The first number in quotes that something is held against. */
export function quotedNumberFault(node: ASTNode): ExpressionFault | undefined {
  const children = childrenOf(node.args)
  if (orders.has(node.op)) {
    for (const { op, args, range } of children) {
      if (op !== 'value' || typeof args !== 'string' || !/^[+-]?\d+(?:\.\d+)?$/.test(args)) continue
      const message = `"${args}" in quotes is a text, and no number is greater or smaller than a text: leave the quotes out`
      return { message, offset: range.start }
    }
  }
  for (const child of children) {
    const fault = quotedNumberFault(child)
    if (fault) return fault
  }
  return undefined
}
