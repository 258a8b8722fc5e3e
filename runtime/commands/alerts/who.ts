/** Who does something about an alert, and how they are told what came of it. */
import { userInfo } from 'node:os'
import type { Command } from 'commander'
import type { AlertsAnswer } from '../../api/alerts.ts'
import { printable } from '../terminal.ts'

export function byOption(command: Command): Command {
  return command.option('--by <NAME>', 'who does it; default the name of the user')
}

export function userName(): string {
  try {
    return userInfo().username
  } catch {
    // A user without an entry, as containers have them.
    return ''
  }
}

/** A line for each; scripts must see that something was not there. */
export function printOutcomes(answer: AlertsAnswer, json: boolean, ifNone: string): void {
  if (json) process.stdout.write(`${JSON.stringify(answer)}\n`)
  else if (answer.rows.length === 0) process.stdout.write(`${ifNone}\n`)
  else for (const row of answer.rows) process.stdout.write(`${printable(sentenceOf(row))}\n`)
  if (answer.rows.some(({ outcome }) => outcome === 'not found')) process.exitCode = 1
}

function sentenceOf({ key, outcome, reason }: AlertsAnswer['rows'][number]): string {
  return reason === null || reason === '' ? `${key}: ${outcome}` : `${key}: ${outcome}: ${reason}`
}
