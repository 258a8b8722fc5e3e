/** `holdfast put TABLE KEY VALUE`. */
import { Command } from 'commander'
import type { RowForm } from '../api/forms.ts'
import type { Json } from '../reading.ts'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { printable } from './terminal.ts'

export function putCommand(): Command {
  return withGateway(new Command('put'))
    .description('write one row of a records table, such as a threshold')
    .argument('TABLE', 'a records table')
    .argument('KEY', 'the key of the row; an older row of this key is replaced')
    .argument('VALUE', 'JSON; what is no JSON is taken as text')
    .option('--json', 'print the row as JSON')
    .addHelpText(
      'after',
      `
It returns once the row is on disk. Rules that look it up use it with the next reading, and bridges that publish the
table send it on.

Examples:
  $ holdfast put thresholds freezer-1/temperature 8
  $ holdfast put thresholds freezer-1/temperature '{"max": 8, "why": "vaccines"}'`,
    )
    .action(async (table: string, key: string, text: string, options: ClientOptions) => {
      const gateway = await openClient(options)
      const row = await gateway.put<RowForm>(tablePath(table, 'rows', key), valueOf(text))
      const said = `${table} ${key} = ${JSON.stringify(row.value)}`
      process.stdout.write(`${options.json ? JSON.stringify(row) : printable(said)}\n`)
    })
}

/** `8`, `true` and `{"a":1}` are what they look like; `on` is a text. */
function valueOf(text: string): Json {
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    if (error instanceof SyntaxError) return text
    throw error
  }
}
