/**
 * `holdfast rules try FILE...`: which alerts rules would have raised, had they been in force: what the running gateway has
 * stored goes through the judge once more, here and not there. It changes nothing and tells nobody.
 */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Rule } from '../../../rules/rule.ts'
import type { DeviceForm, DevicesListed } from '../../api/devices.ts'
import type { RowForm } from '../../api/forms.ts'
import type { HistoryForm } from '../../api/history.ts'
import type { GatewayStatus, TableSection } from '../../api/status.ts'
import { formatProblem } from '../../document.ts'
import { HoldfastError, unreadableWords } from '../../errors.ts'
import type { Wanted } from '../../rehearsal/wanted.ts'
import { UsageError } from '../failure.ts'
import { type GatewayClient, tablePath } from '../gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from '../options.ts'
import { writeOut } from '../rows.ts'
import { terminalOf } from '../terminal.ts'
import { Progress } from './progress.ts'
import type { Pictures } from './pictures.ts'
import type { ChartSize, TriedForm } from './try-report.ts'

type TryOptions = ClientOptions & {
  readonly from: string
  readonly to: string
  readonly rule?: string
  readonly device?: string
  readonly charts: string
}

const chartHeight = 6
const widthMin = 40
const widthMax = 160
const widthDefault = 80

export function rulesTryCommand(): Command {
  return withGateway(new Command('try'))
    .description('show the alerts that rules would have raised over the stored history')
    .argument('<FILE...>', 'rule files (YAML); they need not be in force')
    .option('--from <TIME>', 'where the story begins; 7d is a week ago', '1d')
    .option('--to <TIME>', 'where it ends', 'now')
    .option('--rule <NAME>', 'only this rule of the files')
    .option('--device <PATTERN>', 'only alerts about these devices; * stands for any characters')
    .option('--charts <N>', 'draw at most so many pictures; 0 for none', '6')
    .option('--json', 'print a JSON object for each alert, and a summary')
    .addHelpText(
      'after',
      `
The readings come from the running gateway, in the order in which it committed them, and are judged by the code that
judges live ones, late readings as late. Limits and labels are as they are now; nobody is told, nothing is switched, and
what waits for an acknowledgement is acknowledged at once. docs/rules-try.md says more.

Examples:
  $ holdfast rules try rules/cold-chain.yaml --from 7d
  $ holdfast rules try new.yaml --rule FreezerTooWarm --device freezer-3 --from 2026-11-01 --to 2026-11-08
  $ holdfast rules try new.yaml --from 7d --json | jq 'select(.summary) | .summary.rules'`,
    )
    .action(tryRules)
}

async function tryRules(files: readonly string[], options: TryOptions): Promise<void> {
  const chartsMax = chartCount(options.charts)
  const gateway = await openClient(options)
  const [{ parseTimeMs }, { wantedBy }, { readPast }, { Replay }, drawing, { limitNumber }, { fillPlaceholders }] =
    await Promise.all([
      import('../../api/parameters.ts'),
      import('../../rehearsal/wanted.ts'),
      import('../../rehearsal/past.ts'),
      import('../../rehearsal/replay.ts'),
      import('./pictures.ts'),
      import('../../../rules/judge/threshold.ts'),
      import('../../../rules/match.ts'),
    ])
  const { gateway: about } = await gateway.get<GatewayStatus>('/status')
  const nowMs = about.started_ms + about.uptime_ms
  const span = { fromMs: parseTimeMs('from', options.from, nowMs), toMs: parseTimeMs('to', options.to, nowMs) }
  if (span.fromMs >= span.toMs) throw new UsageError('--from is not before --to: nothing lies between')
  const rules = await readRules(files, options, gateway)
  const wanted = wantedBy(rules)
  const { lookup, labelsOf } = await readRows(gateway, wanted)

  const { columns } = process.stdout
  // A terminal that does not know its width says 0, and a pipe says nothing.
  const width = columns >= widthMin ? Math.min(widthMax, columns) : widthDefault
  const { traceColumns } = await import('../chart.ts')
  const pictures = new drawing.Pictures(rules, span, traceColumns(width), (limit, series) =>
    limitNumber(limit, limit.kind === 'row' ? fillPlaceholders(limit.key, series) : undefined, lookup),
  )
  const seen = chartsMax > 0 && !options.json ? pictures.add.bind(pictures) : undefined
  const replay = new Replay(rules, { ...span, beforeMs: wanted.beforeMs }, { origin: about.id, lookup, labelsOf, seen })
  const progress = new Progress(span, process.stderr)
  try {
    for await (const batch of readPast(historiesOf(gateway, wanted, span))) {
      replay.judge(batch)
      progress.at(batch.throughMs, replay.readings)
    }
  } finally {
    progress.clear()
  }
  const told = replay.end()
  const form: TriedForm = { ...told, readings: replay.readings, span, alerts: await chosen(told.alerts, options) }
  await (options.json ? printJson(form) : printText(form, chartsMax, pictures, { width, height: chartHeight }))
}

async function printJson(tried: TriedForm): Promise<void> {
  const { alertForm, summaryForm } = await import('./try-report.ts')
  for (const alert of tried.alerts) await writeOut(`${JSON.stringify(alertForm(alert))}\n`)
  await writeOut(`${JSON.stringify(summaryForm(tried))}\n`)
}

async function printText(tried: TriedForm, chartsMax: number, pictures: Pictures, size: ChartSize): Promise<void> {
  const { alertsText, chartsText, headText, recordingsText, rulesText } = await import('./try-report.ts')
  const terminal = terminalOf(process.stdout)
  await writeOut(`${headText(tried)}\n${alertsText(tried, terminal)}\n`)
  if (tried.rules.length > 0) await writeOut(rulesText(tried.rules, terminal))
  await writeOut(recordingsText(tried.recordings, terminal))
  const charts = chartsText(tried, pictures, chartsMax, size, terminal)
  if (charts !== '') await writeOut(`\n${charts}`)
}

function chartCount(text: string): number {
  if (/^\d{1,3}$/.test(text)) return Number(text)
  throw new UsageError(`--charts is not a number from 0 to 999: "${text}"`)
}

/** The rules of the files, if all of them are good: those of one name, if one is asked for. */
async function readRules(
  files: readonly string[],
  options: TryOptions,
  gateway: GatewayClient,
): Promise<readonly Rule[]> {
  const [{ parseRules }, { tableProblems }, { nearestName }] = await Promise.all([
    import('../../../rules/language/file.ts'),
    import('../../alerting/rule-tables.ts'),
    import('../../document.ts'),
  ])
  const [{ zone }, tables] = await Promise.all([
    gateway.get<{ readonly zone: string }>('/rules'),
    gateway.get<readonly TableSection[]>('/tables'),
  ])
  const parsed = parseRules(
    files.map(file => ({ file, text: readText(file) })),
    { zone },
  )
  const known = new Map(tables.map(({ name, kind }) => [name, { kind }]))
  const problems = parsed.ok ? tableProblems(parsed.rules, known, parsed.placeOf) : parsed.problems
  if (!parsed.ok || problems.length > 0) {
    const count = problems.length === 1 ? 'a problem' : `${problems.length} problems`
    throw new HoldfastError('BAD_RULES', [`the rules have ${count}:`, ...problems.map(formatProblem)].join('\n'))
  }
  const { rule: name } = options
  if (name === undefined) return parsed.rules
  const chosen = parsed.rules.filter(({ id }) => id === name)
  if (chosen.length > 0) return chosen
  const names = parsed.rules.map(({ id }) => id)
  const nearest = nearestName(name, names)
  const meant = nearest === undefined ? `there are ${names.join(', ')}` : `did you mean "${nearest}"?`
  throw new UsageError(`no rule "${name}" in ${files.join(', ')}: ${meant}`)
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8')
  } catch (error) {
    throw new HoldfastError('FILE_UNREADABLE', `${file} cannot be read: ${unreadableWords(error)}`, '', error)
  }
}

/** Rows as they are now, read once: a replay looks them up a million times. */
async function readRows(gateway: GatewayClient, { records }: Wanted) {
  const { labelsTable, readLabels } = await import('../../alerting/device-labels.ts')
  const tables = new Map<string, Map<string, RowForm>>()
  for (const table of records) {
    const rows = new Map<string, RowForm>()
    for await (const row of gateway.lines<RowForm>(tablePath(table, 'rows'))) rows.set(row.key, row)
    tables.set(table, rows)
  }
  const labels = records.includes(labelsTable) ? await labelsNow(gateway) : new Map<string, DeviceForm['labels']>()
  return {
    lookup: (table: string, key: string) => tables.get(table)?.get(key),
    labelsOf: (device: string) => labels.get(device) ?? readLabels(tables.get(labelsTable)?.get(device)?.value),
  }
}

/** Those of the configuration too. */
async function labelsNow(gateway: GatewayClient): Promise<ReadonlyMap<string, DeviceForm['labels']>> {
  const { devices } = await gateway.get<DevicesListed>('/devices')
  return new Map(devices.map(({ device, labels }) => [device, labels]))
}

/** What the address of a question may hold; where there is more, everything is read and the judge takes what it needs. */
const patternsMax = 16
const patternBytesMax = 512

function historiesOf(
  gateway: GatewayClient,
  { series, beforeMs }: Wanted,
  { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number },
): ReadonlyMap<string, AsyncIterable<HistoryForm>> {
  const range = { from: String(Math.max(0, Math.floor(fromMs - beforeMs))), to: String(Math.ceil(toMs)) }
  return new Map(
    [...series].map(([table, patterns]) => {
      const text = JSON.stringify(patterns)
      const fits = patterns.length <= patternsMax && Buffer.byteLength(text) <= patternBytesMax
      const query = { ...range, series: fits ? text : undefined }
      return [table, gateway.lines<HistoryForm>(tablePath(table, 'history'), query)]
    }),
  )
}

async function chosen<Alert extends { readonly device: string }>(
  alerts: readonly Alert[],
  { device }: TryOptions,
): Promise<readonly Alert[]> {
  if (device === undefined) return alerts
  const { matchesPattern } = await import('../../../rules/match.ts')
  return alerts.filter(alert => matchesPattern(device, alert.device))
}
