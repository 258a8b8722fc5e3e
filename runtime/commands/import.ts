/** `holdfast import TABLE FILE`, for tables of both kinds. */
import { Command, Option } from 'commander'
import type { TableSection } from '../api/status.ts'
import { monotonicMs } from '../clock/wall.ts'
import { UsageError } from './failure.ts'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { choiceOf } from './transfer/columns.ts'
import { type ImportFormat, importFormats } from './transfer/item-reader.ts'
import { runImport } from './transfer/run-import.ts'
import { openSource } from './transfer/source.ts'

type ImportOptions = ClientOptions & {
  readonly format?: ImportFormat
  readonly map: readonly string[]
  readonly set: readonly string[]
  readonly separator: string
  readonly skipBad?: boolean
  readonly dryRun?: boolean
}

export function importCommand(): Command {
  const gather = (text: string, texts: readonly string[]): readonly string[] => [...texts, text]
  return withGateway(new Command('import'))
    .description('read readings into a series table, or rows into a records table, from CSV or lines of JSON')
    .argument('TABLE', 'a table of either kind')
    .argument('FILE', 'a file; - is standard input')
    .addOption(new Option('--format <FORMAT>', 'what it is; without it, what it looks like').choices(importFormats))
    .option('--map <FIELD=COLUMN>', 'the column or key of a field; may be given several times', gather, [])
    .option('--set <FIELD=TEXT>', 'what a field is on every line; may be given several times', gather, [])
    .option('--separator <CHARACTER>', 'what stands between the cells of CSV', ',')
    .option('--skip-bad', 'leave out lines that are wrong, and import the others')
    .option('--dry-run', 'check all of it, and import nothing')
    .option('--json', 'tell the summary as JSON')
    .addHelpText(
      'after',
      `
A reading has the fields time, device, metric and value, and perhaps unit and id; a row has key and value. Columns of CSV
are found by the names in its first line. A time is in ISO 8601 (UTC where it names no zone), or in seconds or
milliseconds since 1970. A cell is a number, true, false, an object or list in JSON, or else a text.

A file is checked as a whole before the first of it is stored; standard input is stored as it comes, and what is stored
when it stops is told. Importing the same again stores each reading once, so an import that was cut off is simply run
again. Readings that are imported are history: they raise no alerts that page.

Examples:
  $ holdfast import readings january.csv --dry-run
  $ holdfast import readings log.csv --map time=Timestamp --map value=Temp --set device=freezer-1 --set metric=temperature
  $ zcat january.ndjson.gz | holdfast import readings -`,
    )
    .action(async (table: string, path: string, options: ImportOptions) => {
      if (options.separator.length !== 1 || /["\r\n]/.test(options.separator)) {
        throw new UsageError('--separator is one character, and no quote or end of a line')
      }
      const gateway = await openClient(options)
      const { kind } = await gateway.get<TableSection>(tablePath(table))
      const { format, separator, skipBad = false, dryRun = false, json = false } = options
      const choice = choiceOf(kind, options.map, options.set)
      const source = await openSource(path)
      await runImport(
        { table, kind, format, separator, choice, source, skipBad, dryRun, json },
        { gateway, monotonicMs, out: process.stdout, err: process.stderr, onInterrupt },
      )
    })
}

/** The first time that somebody presses Ctrl-C; the second time ends the process as ever. */
function onInterrupt(stop: () => void): () => void {
  process.once('SIGINT', stop)
  return () => void process.removeListener('SIGINT', stop)
}
