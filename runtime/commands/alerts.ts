/** `holdfast alerts`, and below it `ack`, `silence`, `silences` and `unsilence`. */
import { Command } from 'commander'
import type { AlertsListed } from '../api/alerts.ts'
import { ackCommand } from './alerts/ack.ts'
import { type ListedAlert, alertCells, alertTitles } from './alerts/columns.ts'
import { silenceCommand, silencesCommand, unsilenceCommand } from './alerts/silence.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { printItems } from './rows.ts'

type ListOptions = ClientOptions & {
  readonly all?: boolean
  readonly rule?: string
  readonly device?: string
  readonly since?: string
  readonly limit?: string
}

export function alertsCommand(): Command {
  const list = withGateway(new Command('list'))
    .description('show them (what "holdfast alerts" does)')
    .option('--all', 'also those that are over')
    .option('--rule <PATTERN>', 'only of these rules; * stands for any characters')
    .option('--device <PATTERN>', 'only of these devices')
    .option('--since <TIME>', 'only those that fired from this time on; 1h is an hour ago')
    .option('--limit <N>', 'at most so many, the newest; default 1000')
    .option('--json', 'print a JSON object for each line')
    .action(listAlerts)
  return new Command('alerts')
    .description('alerts that fire or wait for somebody: show, acknowledge and silence them')
    .addHelpText(
      'after',
      `
An alert is listed while it fires, and after that if its rule latches it, until somebody acknowledges it. Acknowledging
ends the reminders of an alert; silencing keeps alerts that match from being told at all, for a time. Actions of rules, such
as a relay, are done all the same. Options of the list are those of "holdfast alerts list".

Examples:
  $ holdfast alerts
  $ holdfast alerts --all --since 1d --device 'pump-*'
  $ holdfast alerts ack --all --comment 'on my way'
  $ holdfast alerts silence --device 'pump-*' --for 2h --comment 'changing the seals'
  $ holdfast alerts silences`,
    )
    .addCommand(list, { isDefault: true })
    .addCommand(ackCommand())
    .addCommand(silenceCommand())
    .addCommand(silencesCommand())
    .addCommand(unsilenceCommand())
}

async function listAlerts({ all, rule, device, since, limit, ...options }: ListOptions): Promise<void> {
  const gateway = await openClient(options)
  const query = { all: all === true ? 'true' : undefined, rule, device, since, limit }
  const { alerts, now_ms: nowMs } = await gateway.get<AlertsListed<ListedAlert>>('/alerts', query)
  const isJson = options.json === true
  if (alerts.length === 0 && !isJson) {
    process.stdout.write(all === true ? 'There are no such alerts.\n' : 'No alert fires.\n')
    return
  }
  await printItems(each(alerts), alertTitles, alert => alertCells(alert, nowMs), isJson)
}

// oxlint-disable-next-line require-await -- what is printed comes as it comes
async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
