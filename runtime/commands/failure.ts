/**
 * What a person reads when a command fails: one sentence, what to do, and no stack, unless it was asked for.
 *
 *   holdfast: no gateway answers on /var/lib/holdfast/holdfast.sock. Start one with: holdfast run.
 */
import { HoldfastError, messageOf } from '../errors.ts'
import { printable } from './terminal.ts'

/** 0 is success; 2 is a command line that nobody understands. */
export const exitCodes = { failure: 1, usage: 2 } as const

/** A command line that is wrong in a way that only the verb can know. */
export class UsageError extends Error {}

export function failureText(error: unknown, withStack: boolean): string {
  const hint = error instanceof HoldfastError ? error.hint : ''
  const lines = messageOf(error).split('\n').map(printable)
  // A list of problems keeps its lines; what to do about them comes after.
  const separator = lines.length > 1 ? '\n' : ' '
  const sentence = `holdfast: ${[ended(lines.join('\n')), ...(hint === '' ? [] : [ended(capital(printable(hint)))])].join(separator)}\n`
  const stack = withStack && error instanceof Error ? (error.stack ?? '') : ''
  return stack === '' ? sentence : `${sentence}${stack}\n`
}

export function exitCodeOf(error: unknown): number {
  const isUsage = error instanceof UsageError || (error instanceof HoldfastError && error.code === 'BAD_ARGUMENT')
  return isUsage ? exitCodes.usage : exitCodes.failure
}

const ended = (text: string): string => (/[.?!:]$/.test(text) || text.includes('\n') ? text : `${text}.`)
const capital = (text: string): string => text.replace(/^[a-z](?=[a-z']* )/, letter => letter.toUpperCase())
