/** `holdfast export TABLE`, for tables of both kinds. */
import { Command, Option } from 'commander'
import { type ListFormat, listFormats } from '../api/notation.ts'
import type { TableSection } from '../api/status.ts'
import { monotonicMs } from '../clock/wall.ts'
import { formatSize } from '../units.ts'
import { UsageError } from './failure.ts'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { openProgressBar, perSecond } from './progress-bar.ts'
import { grouped, printable } from './terminal.ts'
import { RowCount } from './transfer/row-count.ts'
import { openTarget } from './transfer/target.ts'

type ExportOptions = ClientOptions & {
  readonly format: ListFormat
  readonly out: string
  readonly device?: string
  readonly metric?: string
  readonly from?: string
  readonly to?: string
  readonly key?: string
  readonly limit?: string
}

export function exportCommand(): Command {
  return withGateway(new Command('export'))
    .description('write readings of a series table, or rows of a records table, as CSV or JSON')
    .argument('TABLE', 'a table of either kind')
    .addOption(new Option('--format <FORMAT>', 'how they are written').choices(listFormats).default('csv'))
    .option('--out <FILE>', 'where to; - is standard output', '-')
    .option('--device <PATTERN>', 'series: only these devices; * stands for any characters')
    .option('--metric <PATTERN>', 'series: only these metrics; * stands for any characters')
    .option('--from <TIME>', 'series: only readings from this time on; 1h is an hour ago')
    .option('--to <TIME>', 'series: only readings before this time')
    .option('--key <PREFIX>', 'records: only rows whose key begins so')
    .option('--limit <N>', 'at most so many; of readings the newest, of rows the first')
    .option('--json', 'tell the summary as JSON, on standard error where standard output has the data')
    .addHelpText(
      'after',
      `
Everything is written unless something is chosen, oldest first. ndjson has one object a line with all that is known of a
reading; csv has time, device, metric, value, unit, id and origin; json is one array. A file is there only once it is
whole. "holdfast import" reads csv and ndjson again.

Examples:
  $ holdfast export readings --out readings.csv
  $ holdfast export readings --device 'freezer-*' --from 2026-01-01 --to 2026-02-01 --format ndjson | gzip > january.gz
  $ holdfast export thresholds`,
    )
    .action(async (table: string, options: ExportOptions) => {
      const gateway = await openClient(options)
      const { kind } = await gateway.get<TableSection>(tablePath(table))
      const beganMs = monotonicMs()
      const count = new RowCount(options.format)
      const bar = openProgressBar(process.stderr, monotonicMs)
      const target = await openTarget(options.out)
      try {
        for await (const bytes of gateway.bytes(listPath(table, kind), listQuery(table, kind, options))) {
          count.take(bytes)
          await target.write(bytes)
          bar.show({ bytes: count.bytes, rows: count.rows, ofBytes: undefined })
        }
        await target.finish()
      } catch (error) {
        await target.abandon()
        throw error
      } finally {
        bar.end()
      }
      const seconds = (monotonicMs() - beganMs) / 1_000
      const { rows, bytes } = count
      const summary = { table, format: options.format, out: options.out, rows, bytes, seconds }
      const into = target.isStandardOutput ? process.stderr : process.stdout
      if (options.json) into.write(`${JSON.stringify(summary)}\n`)
      else if (!target.isStandardOutput) into.write(`${printable(sentenceOf(summary, kind))}\n`)
    })
}

const listPath = (table: string, kind: TableSection['kind']): string =>
  tablePath(table, kind === 'series' ? 'readings' : 'rows')

function listQuery(table: string, kind: TableSection['kind'], options: ExportOptions) {
  const { format, device, metric, from, to, key, limit } = options
  const foreign = kind === 'series' ? { key } : { device, metric, from, to }
  const given = Object.entries(foreign).find(([, value]) => value !== undefined)
  if (given !== undefined) throw new UsageError(`--${given[0]} does not fit "${table}", which is a ${kind} table`)
  return kind === 'series' ? { format, device, metric, from, to, limit } : { format, prefix: key, limit }
}

type Summary = {
  readonly out: string
  readonly rows: number
  readonly bytes: number
  readonly seconds: number
}

function sentenceOf({ out, rows, bytes, seconds }: Summary, kind: TableSection['kind']): string {
  const what = kind === 'series' ? 'readings' : 'rows'
  const rate = grouped(perSecond(rows, seconds * 1_000))
  return `${out}: ${grouped(rows)} ${what}, ${formatSize(bytes)}, ${seconds.toFixed(1)} s (${rate} a second)`
}
