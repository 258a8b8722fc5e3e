/** `holdfast status`. */
import { Command } from 'commander'
import type { GatewayStatus } from '../api/status.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import type { Told } from './concerns.ts'
import { statusPage } from './status-page.ts'
import { terminalOf } from './terminal.ts'

export function statusCommand(): Command {
  return withGateway(new Command('status'))
    .description('show how the gateway that runs is doing')
    .option('--json', 'print everything it tells as JSON')
    .addHelpText(
      'after',
      `
First comes what is wrong, then how each part is doing. STATE of a stream: idle and moving are well; stalled means connected,
but the far side confirms nothing. BEHIND counts the entries that wait to be confirmed by the far side, OLDEST is the age of the
first of them. PARKED rows wait for you (holdfast parked); GAPS counts entries that will never arrive (holdfast query gaps).

Examples:
  $ holdfast status
  $ holdfast status --json | jq '.bridges[].streams[] | {table, behind}'`,
    )
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      const status = await gateway.get<Told<GatewayStatus>>('/status')
      const text = options.json ? `${JSON.stringify(status)}\n` : statusPage(status, terminalOf(process.stdout))
      process.stdout.write(text)
    })
}
