/** `holdfast query TABLE`, for tables of both kinds. */
import { Command, Option } from 'commander'
import type { PageForm } from '../api/walk.ts'
import type { ReadingForm, RowForm } from '../api/forms.ts'
import type { TableSection } from '../api/status.ts'
import { UsageError } from './failure.ts'
import { type GatewayClient, type Query, tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { DoubtNote, printItems, readingCells, readingTitles, rowCells, rowTitles } from './rows.ts'
import type { Cell } from './terminal.ts'

export type QueryOptions = ClientOptions & {
  readonly [Name in (typeof ofSeries)[number] | 'key' | 'limit']?: string
} & { readonly latest?: boolean; readonly chart?: boolean }

/** Options that only make sense for readings. */
const ofSeries = [
  'device',
  'metric',
  'origin',
  'unit',
  'since',
  'from',
  'to',
  'where',
  'order',
  'page',
  'cursor',
  'every',
  'fn',
  'fill',
  'zone',
] as const

/** Options that say something about lists of readings, where these are not lists. */
const aggregateConflicts = ['limit', 'order', 'page', 'cursor'] as const
const latestConflicts = ['every', 'fn', ...aggregateConflicts] as const

/** Without any choice of time, so many: a table holds millions, and most who ask want the newest. */
const limitDefault = 1_000

export function queryCommand(): Command {
  return withGateway(new Command('query'))
    .description('print readings of a series table, or rows of a records table')
    .argument('TABLE', 'a table of either kind')
    .option('--device <PATTERN>', 'series: only these devices; * stands for any characters')
    .option('--metric <PATTERN>', 'series: only these metrics; * stands for any characters')
    .option('--origin <PATTERN>', 'series: only readings that were first stored at these gateways')
    .option('--unit <UNIT>', 'series: only readings in this unit; "" for those without one')
    .option('--since <TIME>', 'series: only readings from this time on; 1h is an hour ago')
    .option('--from <TIME>', 'series: the same; for use with --to')
    .option('--to <TIME>', 'series: only readings before this time')
    .option('--where <EXPRESSION>', 'series: only readings for which it is true, in the language of rules')
    .addOption(new Option('--order <ORDER>', 'series: oldest or newest first').choices(['asc', 'desc']))
    .option('--latest', 'series: the latest reading of each device and metric')
    .option('--every <DURATION>', 'series: one line for each interval: 1m, 15m, 1h, 1d')
    .option('--fn <NAMES>', 'series: what of each interval: avg, min, max, sum, count, first, last, stddev')
    .option('--fill <HOW>', 'series: what of an empty interval: none, null, previous, linear or a number')
    .option('--zone <ZONE>', 'series: where days and weeks begin, such as Europe/Berlin; else UTC')
    .option('--chart', 'series: a picture of each series instead of its lines, with --every')
    .option('--page <N>', 'series: so many, and the cursor of the next page')
    .option('--cursor <CURSOR>', 'series: the page that this cursor asks for')
    .option('--key <PREFIX>', 'records: only rows whose key begins so')
    .option('--limit <N>', 'at most so many; of readings the newest unless --order is given, of rows the first')
    .option('--json', 'print a JSON object for each line')
    .addHelpText(
      'after',
      `
A time is 90s, 1h30m or 2d ago, 2026-01-31T12:00:00Z, or milliseconds since 1970. Readings come oldest first, by the time
that their device gave them, if it gave one; a time with a ? was taken while the gateway did not know what time it was,
and is corrected once it knows. Where neither a time nor --limit is given, the newest ${limitDefault} are shown.

--where knows device, metric, unit, value, origin and time (docs/expressions.md).

Intervals are aligned to absolute time: --every 15m has lines for :00, :15, :30 and :45; days begin at midnight, weeks on
Monday. --fn without --every is of the whole time; --every without --fn tells avg, min, max and count. One series comes
after the other.

With --page all pages together are the table as it was when the first was asked for: none is told twice or left out while
others are stored. The cursor of the last page goes on with what has come since.

Examples:
  $ holdfast query readings --device 'freezer-*' --since 1h
  $ holdfast query readings --where 'metric == "temperature" && value > -15' --since 1d
  $ holdfast query readings --latest --device 'freezer-*'
  $ holdfast query readings --every 15m --fn avg,max --since 1d --device freezer-1
  $ holdfast query readings --every 1d --fn min,max --zone Europe/Berlin --since 30d --fill null
  $ holdfast query readings --every 5m --fn max --since 1d --device freezer-1 --chart
  $ holdfast query readings --page 500 --json
  $ holdfast query alerts --json | jq 'select(.value.state == "firing") | .key'
  $ holdfast query thresholds`,
    )
    .action(async (table: string, options: QueryOptions) => {
      if (options.since !== undefined && options.from !== undefined) {
        throw new UsageError('--since and --from mean the same: give one of them')
      }
      refuseMixture(options)
      const gateway = await openClient(options)
      const { kind } = await gateway.get<TableSection>(tablePath(table))
      refuseWrongKind(table, kind, options)
      if (kind === 'records') {
        const rows = gateway.lines<RowForm>(tablePath(table, 'rows'), { prefix: options.key, limit: options.limit })
        await printItems(rows, rowTitles, rowCells, options.json === true)
      } else if (options.every !== undefined || options.fn !== undefined) {
        const { printAggregates } = await import('./aggregates.ts')
        await printAggregates(gateway, table, chosen(options), options)
      } else await printReadings(gateway, table, options)
    })
}

/** What all questions about readings take. */
function chosen({ device, metric, origin, unit, since, from, to, where }: QueryOptions): Query {
  return { device, metric, origin, unit, from: since ?? from, to, where }
}

async function printReadings(gateway: GatewayClient, table: string, options: QueryOptions): Promise<void> {
  const { since, from, to, order, limit, page, cursor, latest } = options
  const isPaged = page !== undefined || cursor !== undefined
  const isOpen = [since, from, to, limit].every(value => value === undefined) && !isPaged && latest !== true
  const of = latest === true ? {} : { order, page, cursor, limit: isOpen ? String(limitDefault) : limit }
  const lines = gateway.lines<ReadingForm | PageForm>(tablePath(table, latest === true ? 'latest' : 'readings'), {
    ...chosen(options),
    ...of,
  })
  let last: PageForm | undefined
  async function* readings(): AsyncGenerator<ReadingForm> {
    for await (const line of lines) {
      if (line.kind === 'page') last = line
      else yield line
    }
  }
  const note = new DoubtNote()
  const cells = (reading: ReadingForm): readonly Cell[] => {
    note.watch(reading)
    return readingCells(reading)
  }
  const count = await printItems(readings(), readingTitles, cells, options.json === true)
  if (last !== undefined && options.json === true) process.stdout.write(`${JSON.stringify(last)}\n`)
  process.stderr.write(note.take())
  if (last !== undefined && options.json !== true) process.stderr.write(pageNote(last))
  if (isOpen && count === limitDefault) {
    process.stderr.write(`holdfast: these are the newest ${limitDefault}; --since or --limit shows others.\n`)
  }
}

const pageNote = ({ cursor, more }: PageForm): string =>
  more
    ? `holdfast: there are more: --cursor ${cursor}\n`
    : `holdfast: that is all; what comes from now on: --cursor ${cursor}\n`

function refuseMixture(options: QueryOptions): void {
  const { latest, every, fn, limit, page, cursor } = options
  const isAggregate = every !== undefined || fn !== undefined
  const first = latest === true ? '--latest' : every === undefined ? '--fn' : '--every'
  const foreign = latest === true ? latestConflicts : isAggregate ? aggregateConflicts : ([] as const)
  const given = foreign.find(name => options[name] !== undefined)
  if (given !== undefined) throw new UsageError(`--${given} does not go with ${first}`)
  const lonely = (['fill', 'zone', 'chart'] as const).find(name => options[name] !== undefined)
  if (lonely !== undefined && every === undefined) throw new UsageError(`--${lonely} goes with --every`)
  if (limit !== undefined && (page ?? cursor) !== undefined)
    throw new UsageError('--limit does not go with pages: use --page')
}

function refuseWrongKind(table: string, kind: TableSection['kind'], options: QueryOptions): void {
  const foreign = kind === 'records' ? ([...ofSeries, 'latest'] as const) : (['key'] as const)
  const given = foreign.find(name => options[name] !== undefined)
  if (given === undefined) return
  const instead = kind === 'records' ? 'use --key' : 'use --device and --metric'
  throw new UsageError(`--${given} does not fit "${table}", which is a ${kind} table: ${instead}`)
}
