/** Aggregates in a terminal: a line for each interval, or a picture of each series. */
import { formatNumber } from '../../rules/alert/template.ts'
import type { AggregateForm } from '../api/forms.ts'
import type { Json } from '../reading.ts'
import { drawChart, traceColumns } from './chart.ts'
import { type GatewayClient, type Query, tablePath } from './gateway-client.ts'
import { printItems, writeOut } from './rows.ts'
import { type Cell, type Terminal, printable, terminalOf } from './terminal.ts'
import { Trace } from './trace.ts'

type AggregateOptions = {
  readonly every?: string
  readonly fn?: string
  readonly fill?: string
  readonly zone?: string
  readonly chart?: boolean
  readonly json?: boolean
}

/** What is told where nothing is named; of a picture one line is enough. */
const functionsDefault = 'avg,min,max,count'

export async function printAggregates(
  gateway: GatewayClient,
  table: string,
  chosen: Query,
  { every, fn, fill, zone, chart, json }: AggregateOptions,
): Promise<void> {
  const names = (fn ?? (chart === true ? 'avg' : functionsDefault)).split(',').map(name => name.trim())
  const query = { ...chosen, every, fn: names.join(','), fill, zone }
  let rollup: string | string[] | undefined
  const rows = gateway.lines<AggregateForm>(tablePath(table, 'aggregate'), query, headers => {
    rollup = headers['holdfast-rollup']
  })
  if (chart === true && json !== true) return printCharts(rows, names)
  const titles = ['time', 'origin', 'device', 'metric', ...names.map(name => `>${name}`), 'unit']
  await printItems(rows, titles, row => cellsOf(row, names), json === true)
  // Beside the answer, which is the same without it.
  if (rollup !== undefined && json !== true)
    process.stderr.write(`holdfast: answered from rollups of ${String(rollup)}\n`)
}

function cellsOf(row: AggregateForm, names: readonly string[]): readonly Cell[] {
  const { time, origin, device, metric, unit } = row
  return [
    { text: time ?? '-', style: 'dim' },
    origin,
    device,
    metric,
    ...names.map(name => valueCell(valueOf(row, name))),
    unit ?? '',
  ]
}

const valueOf = (row: AggregateForm, name: string): Json =>
  (row as unknown as Readonly<Record<string, Json>>)[name] ?? null

function valueCell(value: Json): Cell {
  if (value === null) return { text: '-', style: 'dim' }
  if (typeof value === 'number') return formatNumber(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

/** Points of one picture: a week of minutes is ten thousand. Beyond it the picture begins later. */
const pointsMax = 100_000
const chartHeight = 8

type Point = { readonly timeMs: number; readonly value: number }

/** One picture for each series and function, as they come. */
async function printCharts(rows: AsyncIterable<AggregateForm>, names: readonly string[]): Promise<void> {
  const terminal = terminalOf(process.stdout)
  let of: AggregateForm | undefined
  let points = names.map((): Point[] => [])
  const flush = async (): Promise<void> => {
    if (of !== undefined)
      for (const [index, name] of names.entries()) await writeOut(picture(of, name, points[index] ?? [], terminal))
    points = names.map(() => [])
  }
  for await (const row of rows) {
    if (of !== undefined && !isSameSeries(of, row)) await flush()
    of = row
    for (const [index, name] of names.entries()) {
      const value = valueOf(row, name)
      const ofName = points[index]
      if (typeof value === 'number') ofName?.push({ timeMs: row.time_ms, value })
      if (ofName !== undefined && ofName.length > pointsMax) ofName.splice(0, pointsMax / 10)
    }
  }
  if (of === undefined) await writeOut('No readings.\n')
  await flush()
}

const isSameSeries = (a: AggregateForm, b: AggregateForm): boolean =>
  a.device === b.device && a.metric === b.metric && a.origin === b.origin && a.unit === b.unit

function picture(
  { device, metric, unit, origin }: AggregateForm,
  name: string,
  points: readonly Point[],
  terminal: Terminal,
): string {
  const title = `${terminal.paint('bold', printable(`${device} ${metric}`))}  ${name}${unit === null ? '' : printable(` in ${unit}`)}`
  const head = `${title}  ${terminal.paint('dim', printable(origin))}\n`
  const [first, last] = [points[0], points.at(-1)]
  if (first === undefined || last === undefined) return `${head}  no numbers\n\n`
  const width = Math.min(process.stdout.columns ?? 100, 160)
  const trace = new Trace({ fromMs: first.timeMs, toMs: last.timeMs }, traceColumns(width))
  for (const { timeMs, value } of points) trace.add(timeMs, value)
  return `${head}${drawChart(trace, [], { width, height: chartHeight, paint: terminal.paint })}\n`
}
