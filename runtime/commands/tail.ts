/** `holdfast tail TABLE`. */
import { Command, Option } from 'commander'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import type { EntryForm } from '../api/forms.ts'
import { DoubtNote, entryCells, entryTitles, writeOut } from './rows.ts'
import { Columns, terminalOf } from './terminal.ts'

export function tailCommand(): Command {
  return withGateway(new Command('tail'))
    .description('follow a table: print what is committed to it, as it is committed')
    .argument('TABLE', 'a table of either kind')
    .addOption(
      new Option('--from <PLACE>', 'beginning: with all that the log still holds; now: with what comes')
        .choices(['beginning', 'now'])
        .default('now'),
    )
    .option('--json', 'print a JSON object for each line')
    .addHelpText(
      'after',
      `
It goes on until it is interrupted. What a slow reader has not taken yet waits in the gateway's log, not in memory.

Examples:
  $ holdfast tail alerts
  $ holdfast tail readings --from beginning --json | jq .value`,
    )
    .action(async (table: string, options: ClientOptions & { from: string }) => {
      const gateway = await openClient(options)
      const entries = gateway.lines<EntryForm>(tablePath(table, 'tail'), { from: options.from })
      const terminal = terminalOf(process.stdout)
      const note = new DoubtNote()
      let columns: Columns | undefined
      for await (const entry of entries) {
        if (options.json) {
          await writeOut(`${JSON.stringify(entry)}\n`)
          continue
        }
        const row = entryCells(entry)
        if (!columns) {
          columns = new Columns(entryTitles(entry), terminal)
          await writeOut(columns.head([row]))
        }
        await writeOut(columns.lines([row]))
        note.watch(entry)
        process.stderr.write(note.take())
      }
    })
}
