/**
 * Whole numbers as people mean them. To CEL `9 / 5` is 1 and `x ? 1 : 0.5` a fault, because 1 is of another type than 0.5;
 * so a whole number that is written out where a division or a choice could tell the difference is read as 1.0.
 */
import type { ASTNode } from '@marcbachmann/cel-js'
import { childrenOf } from './faults.ts'

/** Changes the tree in place, before it is checked. */
export function widenNumbers(node: ASTNode): void {
  if (node.op === '/') for (const side of node.args) widen(side)
  if (node.op === '?:') for (const branch of node.args.slice(1)) widen(branch)
  if (node.op === 'in' && node.args[1].op === 'list') widenList(node.args[0], node.args[1].args)
  for (const child of childrenOf(node.args)) widenNumbers(child)
}

/** One of several is enough: in a list of both kinds either is found. */
function widenList(sought: ASTNode, elements: readonly ASTNode[]): void {
  // A variable is a text, or of any kind, which is found as it is.
  if (sought.op === 'id') return
  const [first] = elements
  const isWhole = sought.op === 'rcall' || (sought.op === 'call' && ['size', 'int'].includes(sought.args[0]))
  if (first && (elements.length > 1 || !isWhole)) widen(first)
}

function widen(node: ASTNode): void {
  if (node.op === '-_') widen(node.args)
  if (node.op === '+' || node.op === '-' || node.op === '*') for (const side of node.args) widen(side)
  if (node.op === 'value' && typeof node.args === 'bigint') (node as { args: unknown }).args = Number(node.args)
}
