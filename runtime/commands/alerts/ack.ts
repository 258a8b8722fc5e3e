/** `holdfast alerts ack KEY...`. */
import { Command } from 'commander'
import type { AlertsAnswer } from '../../api/alerts.ts'
import { UsageError } from '../failure.ts'
import { type ClientOptions, openClient, withGateway } from '../options.ts'
import { byOption, printOutcomes, userName } from './who.ts'

type AckOptions = ClientOptions & { readonly all?: boolean; readonly by?: string; readonly comment?: string }

export function ackCommand(): Command {
  return byOption(withGateway(new Command('ack')))
    .description('acknowledge alerts: somebody has seen them, and no reminder is needed')
    .argument('[KEY...]', 'keys, as "holdfast alerts" shows them')
    .option('--all', 'every alert that fires or is latched')
    .option('--comment <TEXT>', 'for whoever reads it later')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
An alert that is latched is over with it. It returns once the acknowledgement, a row of the table acks, is on disk; a far
side acknowledges by writing such a row. The exit code is 1 if a key is that of no alert.

Examples:
  $ holdfast alerts ack gw-1/TooWarm/freezer-1/temperature/1785000000000
  $ holdfast alerts ack --all --comment 'door was open'`,
    )
    .action(async (keys: readonly string[], options: AckOptions) => {
      if (keys.length > 0 === (options.all === true)) throw new UsageError('name the keys, or say --all')
      const gateway = await openClient(options)
      const which = options.all === true ? { all: true } : { keys: [...keys] }
      const body = { ...which, by: options.by ?? userName(), comment: options.comment ?? '' }
      const answer = await gateway.post<AlertsAnswer>('/alerts/ack', body)
      printOutcomes(answer, options.json === true, 'There is nothing to acknowledge.')
    })
}
