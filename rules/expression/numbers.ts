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
  for (const child of childrenOf(node.args)) widenNumbers(child)
}

function widen(node: ASTNode): void {
  if (node.op === '-_') widen(node.args)
  if (node.op === '+' || node.op === '-' || node.op === '*') for (const side of node.args) widen(side)
  if (node.op === 'value' && typeof node.args === 'bigint') (node as { args: unknown }).args = Number(node.args)
}
