/** `holdfast alerts silence`, `holdfast alerts silences` and `holdfast alerts unsilence ID...`. */
import { Command } from 'commander'
import type { AlertsAnswer, SilenceForm, SilencesListed } from '../../api/alerts.ts'
import type { Json } from '../../reading.ts'
import { formatDuration, parseDurationMs } from '../../units.ts'
import { UsageError } from '../failure.ts'
import { type ClientOptions, openClient, withGateway } from '../options.ts'
import { type Cell, age, printable, table, terminalOf } from '../terminal.ts'
import { byOption, printOutcomes, userName } from './who.ts'

type SilenceOptions = ClientOptions & {
  readonly rule?: string
  readonly device?: string
  readonly metric?: string
  readonly label?: readonly string[]
  readonly everything?: boolean
  readonly for?: string
  readonly by?: string
  readonly comment?: string
}

export function silenceCommand(): Command {
  return byOption(withGateway(new Command('silence')))
    .description('keep quiet about the alerts that match, for a time')
    .option('--rule <PATTERN>', 'alerts of these rules; * stands for any characters')
    .option('--device <PATTERN>', 'alerts about these devices')
    .option('--metric <PATTERN>', 'alerts about these metrics')
    .option('--label <NAME=PATTERN...>', 'alerts with this label, of the rule or of the device')
    .option('--everything', 'every alert; without it at least one of the above is needed')
    .option('--for <TIME>', 'how long: 30m, 2h, 1d')
    .option('--comment <TEXT>', 'why')
    .option('--json', 'print the silence as JSON')
    .addHelpText(
      'after',
      `
All that is given must fit. Alerts fire, are recorded and are replicated as ever, and actions of rules are done; but nobody
is told, until the silence ends: then what still fires is told. It is a row of the table silences, in force once it is on
disk; a far side silences by writing such a row.

Examples:
  $ holdfast alerts silence --device 'pump-*' --for 2h --comment 'changing the seals'
  $ holdfast alerts silence --label site=lyon --label team='cold*' --for 30m
  $ holdfast alerts silence --everything --for 10m`,
    )
    .action(async (options: SilenceOptions) => {
      const match = matchOf(options)
      const forMs = options.for === undefined ? undefined : parseDurationMs(options.for)
      if (options.for === undefined) throw new UsageError('say for how long: --for 2h')
      if (forMs === undefined || forMs < 1_000)
        throw new UsageError(`--for is no time such as 30m or 2h: "${options.for}"`)
      const gateway = await openClient(options)
      const body = { match, for_ms: forMs, by: options.by ?? userName(), comment: options.comment ?? '' }
      const made = await gateway.post<SilenceForm>('/silences', body)
      const covered = `${made.alerts} ${made.alerts === 1 ? 'alert that fires is' : 'alerts that fire are'} covered now`
      const said = `${made.id}: ${matchText(match)} is silent for ${formatDuration(forMs)}; ${covered}`
      process.stdout.write(`${options.json ? JSON.stringify(made) : printable(said)}\n`)
    })
}

function matchOf({ rule, device, metric, label = [], everything }: SilenceOptions): { readonly [key: string]: Json } {
  const labels = label.map(text => {
    const [, name, pattern] = /^([^=]+)=(.+)$/.exec(text) ?? []
    if (name === undefined || pattern === undefined) throw new UsageError(`--label is not NAME=PATTERN: "${text}"`)
    return [name, pattern] as const
  })
  const given = [rule, device, metric].some(text => text !== undefined) || labels.length > 0
  if (given === (everything === true)) {
    throw new UsageError(
      given
        ? '--everything leaves nothing to choose: leave it out, or the others'
        : 'say which alerts: --rule, --device, --metric, --label, or --everything',
    )
  }
  return {
    ...(rule !== undefined && { rule }),
    ...(device !== undefined && { device }),
    ...(metric !== undefined && { metric }),
    ...(labels.length > 0 && { labels: Object.fromEntries(labels) }),
  }
}

export function silencesCommand(): Command {
  return withGateway(new Command('silences'))
    .description('show the silences: what they cover, until when, and who wanted them')
    .option('--json', 'print a JSON object for each line')
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      const { silences, now_ms: nowMs } = await gateway.get<SilencesListed>('/silences')
      process.stdout.write(
        options.json ? silences.map(one => `${JSON.stringify(one)}\n`).join('') : page(silences, nowMs),
      )
    })
}

function page(silences: readonly SilenceForm[], nowMs: number): string {
  if (silences.length === 0) return 'There are no silences.\n'
  const rows = silences.map(silence => silenceCells(silence, nowMs))
  return table(silenceTitles, rows, terminalOf(process.stdout))
}

const silenceTitles = ['state', 'until', 'covers', '>alerts', 'by', 'comment', 'id']

type SilenceRow = {
  readonly match?: { readonly [key: string]: Json }
  readonly from_ms?: number
  readonly until_ms?: number
  readonly by?: string
  readonly comment?: string
}

function silenceCells({ id, state, reason, row, alerts }: SilenceForm, nowMs: number): readonly Cell[] {
  if (state === 'faulty') return [{ text: state, style: 'red' }, '-', reason ?? '-', '0', '-', '-', id]
  const { match = {}, from_ms: fromMs = 0, until_ms: untilMs = 0, by, comment } = row as SilenceRow
  const until =
    state === 'active'
      ? `${age(untilMs - nowMs)} more`
      : state === 'waiting'
        ? `begins in ${age(fromMs - nowMs)}`
        : `${age(nowMs - untilMs)} ago`
  const style = state === 'active' ? 'yellow' : 'dim'
  return [{ text: state, style }, until, matchText(match), String(alerts), by || '-', comment || '-', id]
}

function matchText(match: { readonly [key: string]: Json }): string {
  const { labels, ...others } = match
  const all = { ...others, ...(labels as { readonly [key: string]: Json } | undefined) }
  const words = Object.entries(all).map(
    ([name, pattern]) => `${name}=${typeof pattern === 'string' ? pattern : JSON.stringify(pattern)}`,
  )
  return words.length === 0 ? 'everything' : words.join(' ')
}

export function unsilenceCommand(): Command {
  return withGateway(new Command('unsilence'))
    .description('end silences: what still fires is told')
    .argument('<ID...>', 'ids, as "holdfast alerts silences" shows them')
    .option('--json', 'print the answer as JSON')
    .action(async (ids: readonly string[], options: ClientOptions) => {
      const gateway = await openClient(options)
      const answer = await gateway.post<AlertsAnswer>('/silences/end', { ids: [...ids] })
      printOutcomes(answer, options.json === true, '')
    })
}
