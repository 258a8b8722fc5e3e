/** `holdfast delete TABLE KEY`. */
import { Command } from 'commander'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { printable } from './terminal.ts'

export function deleteCommand(): Command {
  return withGateway(new Command('delete'))
    .description('remove one row of a records table')
    .argument('TABLE', 'a records table')
    .argument('KEY', 'the key of the row')
    .option('--json', 'print the answer as JSON')
    .addHelpText(
      'after',
      `
It returns once the removal is on disk. The removal travels to where the table is published, like any other change.

Example:
  $ holdfast delete thresholds freezer-1`,
    )
    .action(async (table: string, key: string, options: ClientOptions) => {
      const gateway = await openClient(options)
      const answer = await gateway.remove<object>(tablePath(table, 'rows', key))
      process.stdout.write(`${options.json ? JSON.stringify(answer) : printable(`${table} ${key} deleted`)}\n`)
    })
}
