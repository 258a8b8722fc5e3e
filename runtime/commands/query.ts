/** `holdfast query TABLE`, for tables of both kinds. */
import { Command } from 'commander'
import type { ReadingForm, RowForm } from '../api/forms.ts'
import type { TableSection } from '../api/status.ts'
import { UsageError } from './failure.ts'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { DoubtNote, printItems, readingCells, readingTitles, rowCells, rowTitles } from './rows.ts'
import type { Cell } from './terminal.ts'

type QueryOptions = ClientOptions & {
  readonly device?: string
  readonly metric?: string
  readonly since?: string
  readonly from?: string
  readonly to?: string
  readonly key?: string
  readonly limit?: string
}

/** Without any choice of time, so many: a table holds millions, and most who ask want the newest. */
const limitDefault = 1_000

export function queryCommand(): Command {
  return withGateway(new Command('query'))
    .description('print readings of a series table, or rows of a records table')
    .argument('TABLE', 'a table of either kind')
    .option('--device <PATTERN>', 'series: only these devices; * stands for any characters')
    .option('--metric <PATTERN>', 'series: only these metrics; * stands for any characters')
    .option('--since <TIME>', 'series: only readings from this time on; 1h is an hour ago')
    .option('--from <TIME>', 'series: the same; for use with --to')
    .option('--to <TIME>', 'series: only readings before this time')
    .option('--key <PREFIX>', 'records: only rows whose key begins so')
    .option('--limit <N>', 'at most so many; of readings the newest, of rows the first')
    .option('--json', 'print a JSON object for each line')
    .addHelpText(
      'after',
      `
A time is 90s, 1h30m or 2d ago, 2026-01-31T12:00:00Z, or milliseconds since 1970. Readings come oldest first, by the time
that their device gave them, if it gave one; a time with a ? was taken while the gateway did not know what time it was,
and is corrected once it knows. Where neither a time nor --limit is given, the newest ${limitDefault} are shown.

Examples:
  $ holdfast query readings --device 'freezer-*' --since 1h
  $ holdfast query alerts --json | jq 'select(.value.state == "firing") | .key'
  $ holdfast query thresholds`,
    )
    .action(async (table: string, options: QueryOptions) => {
      if (options.since !== undefined && options.from !== undefined) {
        throw new UsageError('--since and --from mean the same: give one of them')
      }
      const gateway = await openClient(options)
      const { kind } = await gateway.get<TableSection>(tablePath(table))
      refuseWrongKind(table, kind, options)
      const { device, metric, from, to, since, key, limit } = options
      if (kind === 'records') {
        const rows = gateway.lines<RowForm>(tablePath(table, 'rows'), { prefix: key, limit })
        await printItems(rows, rowTitles, rowCells, options.json === true)
        return
      }
      const isOpen = since === undefined && from === undefined && to === undefined && limit === undefined
      const query = { device, metric, from: since ?? from, to, limit: isOpen ? String(limitDefault) : limit }
      const readings = gateway.lines<ReadingForm>(tablePath(table, 'readings'), query)
      const note = new DoubtNote()
      const cells = (reading: ReadingForm): readonly Cell[] => {
        note.watch(reading)
        return readingCells(reading)
      }
      const count = await printItems(readings, readingTitles, cells, options.json === true)
      process.stderr.write(note.take())
      if (isOpen && count === limitDefault) {
        process.stderr.write(`holdfast: these are the newest ${limitDefault}; --since or --limit shows others.\n`)
      }
    })
}

function refuseWrongKind(table: string, kind: TableSection['kind'], options: QueryOptions): void {
  const foreign = kind === 'records' ? (['device', 'metric', 'since', 'from', 'to'] as const) : (['key'] as const)
  const given = foreign.find(name => options[name] !== undefined)
  if (given === undefined) return
  const instead = kind === 'records' ? 'use --key' : 'use --device and --metric'
  throw new UsageError(`--${given} does not fit "${table}", which is a ${kind} table: ${instead}`)
}
