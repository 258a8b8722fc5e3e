/** `holdfast alerts ack KEY...`. */
import { Command } from 'commander'
import type { AlertsAnswer, AlertsListed } from '../../api/alerts.ts'
import { alertKeysMax } from '../../api/limits.ts'
import { UsageError } from '../failure.ts'
import type { GatewayClient } from '../gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from '../options.ts'
import { byOption, printOutcomes, userName } from './who.ts'

type Choice = { readonly rule?: string; readonly device?: string }
type AckOptions = ClientOptions & Choice & { readonly all?: boolean; readonly by?: string; readonly comment?: string }

export function ackCommand(): Command {
  return byOption(withGateway(new Command('ack')))
    .description('acknowledge alerts: somebody has seen them, and no reminder is needed')
    .argument('[KEY...]', 'keys, as "holdfast alerts" shows them')
    .option('--all', 'every alert that fires or is latched')
    .option('--rule <PATTERN>', 'those of these rules; * stands for any characters')
    .option('--device <PATTERN>', 'those about these devices')
    .option('--comment <TEXT>', 'for whoever reads it later')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
An alert that is latched is over with it. It returns once the acknowledgement, a row of the table acks, is on disk; a far
side acknowledges by writing such a row. The exit code is 1 if a key is that of no alert.

Examples:
  $ holdfast alerts ack gw-1/TooWarm/freezer-1/temperature/1785000000000
  $ holdfast alerts ack --device pump-1
  $ holdfast alerts ack --all --comment 'door was open'`,
    )
    .action(async (keys: readonly string[], options: AckOptions) => {
      const { rule, device } = options
      const ways = [keys.length > 0, options.all === true, rule !== undefined || device !== undefined]
      if (ways.filter(Boolean).length !== 1) throw new UsageError('name the keys, or say --all, or --rule and --device')
      const gateway = await openClient(options)
      const which =
        options.all === true
          ? { all: true }
          : { keys: keys.length > 0 ? [...keys] : await chosen(gateway, { rule, device }) }
      if (which.keys?.length === 0) return printOutcomes({ rows: [] }, options.json === true, nothing)
      const body = { ...which, by: options.by ?? userName(), comment: options.comment ?? '' }
      const answer = await gateway.post<AlertsAnswer>('/alerts/ack', body)
      printOutcomes(answer, options.json === true, nothing)
    })
}

const nothing = 'There is nothing to acknowledge.'

/** The keys of alerts that stand and that nobody has acknowledged. */
async function chosen(
  gateway: GatewayClient,
  { rule, device }: { rule: string | undefined; device: string | undefined },
): Promise<string[]> {
  const query = { rule, device, limit: String(alertKeysMax) }
  const { alerts } = await gateway.get<AlertsListed<{ readonly key: string; readonly acked_ms: number | null }>>(
    '/alerts',
    query,
  )
  return alerts.filter(({ acked_ms: ackedMs }) => ackedMs === null).map(({ key }) => key)
}
