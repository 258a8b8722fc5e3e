/** `holdfast rules list` and `holdfast rules explain NAME`: the rules in force at the gateway that runs, in plain words. */
import { Command } from 'commander'
import type { LimitForm, RuleDetailForm, RuleForm } from '../../api/rules.ts'
import { type ClientOptions, openClient, withGateway } from '../options.ts'
import { type Cell, type Terminal, printable, table, terminalOf } from '../terminal.ts'

export function rulesListCommand(): Command {
  return withGateway(new Command('list'))
    .description('list the rules in force, what they watch, and how they stand')
    .option('--json', 'print a JSON object for each rule')
    .addHelpText(
      'after',
      `
Series is how many series a rule watches now: 0 is mostly a pattern that fits no device.

Examples:
  $ holdfast rules list
  $ holdfast rules list --json | jq -r 'select(.firing > 0) | .name'`,
    )
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      const { rules } = await gateway.get<{ readonly rules: readonly RuleForm[] }>('/rules')
      if (options.json) for (const rule of rules) process.stdout.write(`${JSON.stringify(rule)}\n`)
      else process.stdout.write(rulesTable(rules, terminalOf(process.stdout)))
    })
}

export function rulesExplainCommand(): Command {
  return withGateway(new Command('explain'))
    .description('say in plain words what a rule does, and which limits hold for it now')
    .argument('NAME', 'a rule in force: the name of an alert or of a recording')
    .option('--json', 'print it as JSON')
    .addHelpText(
      'after',
      `
Examples:
  $ holdfast rules explain FreezerTooWarm`,
    )
    .action(async (name: string, options: ClientOptions) => {
      const gateway = await openClient(options)
      const rule = await gateway.get<RuleDetailForm>(`/rules/${encodeURIComponent(name)}`)
      process.stdout.write(options.json ? `${JSON.stringify(rule)}\n` : ruleText(rule, terminalOf(process.stdout)))
    })
}

export function rulesTable(rules: readonly RuleForm[], terminal: Terminal): string {
  if (rules.length === 0) return 'no rules are in force (holdfast check says why)\n'
  const rows = rules.map((rule): readonly Cell[] => [
    rule.name,
    rule.group,
    rule.kind === 'record' ? { text: 'record', style: 'cyan' } : (rule.severity ?? 'alert'),
    stateCell(rule),
    String(rule.series),
    rule.watches,
  ])
  return table(['name', 'group', 'kind', 'now', '>series', 'watches'], rows, terminal)
}

/** What is worst first: the eye looks for what fires. */
function stateCell({ kind, firing, latched, pending, series }: RuleForm): Cell {
  if (kind === 'record') return { text: '-', style: 'dim' }
  const parts = [
    ...(firing > 0 ? [`${firing} firing`] : []),
    ...(latched > 0 ? [`${latched} latched`] : []),
    ...(pending > 0 ? [`${pending} pending`] : []),
  ]
  if (parts.length === 0) return series === 0 ? { text: 'no series', style: 'yellow' } : { text: 'ok', style: 'green' }
  return { text: parts.join(', '), style: firing > 0 ? 'red' : 'yellow' }
}

export function ruleText(rule: RuleDetailForm, terminal: Terminal): string {
  const { paint } = terminal
  const state = stateCell(rule)
  const now = typeof state === 'string' ? state : paint(state.style, state.text)
  const line = (name: string, text: string): string => `${paint('dim', name.padEnd(9))} ${text}\n`
  const lines = [
    `${paint('bold', printable(rule.name))} (${printable(rule.group)}, ${printable(rule.file)})\n`,
    line('watches', `${printable(rule.watches)}: ${rule.series} series now`),
    line('fires', printable(rule.fires)),
    rule.ends === null ? '' : line('ends', printable(rule.ends)),
    ...rule.also.map(text => line('also', printable(text))),
    rule.summary === null ? '' : line('says', printable(rule.summary)),
    rule.kind === 'record' ? '' : line('now', now),
  ]
  return `${lines.join('')}${limitsText(rule.limits, terminal)}`
}

const missingWords: Readonly<Record<string, string>> = { row: 'there is no row', number: 'its row holds no number' }

/** Only limits out of rows: those of the file have been told. */
function limitsText(limits: readonly LimitForm[], terminal: Terminal): string {
  const rows = limits.filter(({ source }) => source !== 'literal')
  if (rows.length === 0) return ''
  const cells = rows.map(({ device, metric, side, value, source, missing }): readonly Cell[] => [
    device,
    metric,
    side,
    value === null ? { text: 'not judged', style: 'yellow' } : String(value),
    {
      text: `${source === 'default' && value !== null ? 'default: ' : ''}${missingWords[missing ?? 'nothing'] ?? source}`,
      style: missing === 'number' ? 'yellow' : 'dim',
    },
  ])
  return `\n${table(['device', 'metric', 'limit', '>now', 'out of'], cells, terminal)}`
}
