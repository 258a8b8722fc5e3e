/** `holdfast parked`, `holdfast parked retry KEY...`, `holdfast parked drop KEY...`. */
import { Command } from 'commander'
import type { RowForm } from '../api/forms.ts'
import type { ParkedAnswer } from '../api/parked.ts'
import { UsageError } from './failure.ts'
import { tablePath } from './gateway-client.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { printItems } from './rows.ts'
import { type Cell, printable } from './terminal.ts'

type Fields = {
  readonly parked_ms?: number
  readonly reason?: string
  readonly device?: string
  readonly metric?: string
  readonly key?: string
}

type ChoiceOptions = ClientOptions & { readonly all?: boolean }

/** The key comes last: it is what is copied into the next command. */
const titles = ['parked', 'reason', 'what', 'key']

function cells({ key, value }: RowForm): readonly Cell[] {
  const { parked_ms: ms, reason = '-', device, metric, key: row = '-' } = (value ?? {}) as Fields
  const isTime = typeof ms === 'number' && Math.abs(ms) <= 8.64e15
  const time: Cell = { text: isTime ? new Date(ms).toISOString() : '-', style: 'dim' }
  const what = device === undefined ? row : `${device}/${metric ?? '-'}`
  return [time, { text: reason, style: 'yellow' }, what, key]
}

export function parkedCommand(): Command {
  const list = withGateway(new Command('list'))
    .description('show them (what "holdfast parked" does)')
    .option('--json', 'print a JSON object for each line')
    .action(async (options: ClientOptions) => {
      const gateway = await openClient(options)
      const rows = gateway.lines<RowForm>(tablePath('parked', 'rows'))
      await printItems(rows, titles, cells, options.json === true)
    })
  return new Command('parked')
    .description('rows that could not be delivered or applied: show them, try them again, drop them')
    .addHelpText(
      'after',
      `
A row is parked when a far side refuses it, when it cannot travel, or when it came with a stamp too far ahead; the rest of
its stream flows on. Trying again applies a row that came from a far side as if it came now, or sends a row of ours as it
stands now once more; what fails again stays. Stamps that were too far ahead are tried by themselves when their time comes.
A dropped row is gone.

Examples:
  $ holdfast parked
  $ holdfast parked retry --all
  $ holdfast parked drop from:gw-1/thresholds/3f9c2a71/17`,
    )
    .addCommand(list, { isDefault: true })
    .addCommand(choiceCommand('retry', 'try them again'))
    .addCommand(choiceCommand('drop', 'forget them'))
}

function choiceCommand(verb: 'retry' | 'drop', description: string): Command {
  return withGateway(new Command(verb))
    .description(description)
    .argument('[KEY...]', 'keys, as "holdfast parked" shows them')
    .option('--all', 'every parked row')
    .option('--json', 'print the answer as JSON')
    .action(async (keys: readonly string[], options: ChoiceOptions) => {
      if (keys.length > 0 === (options.all === true)) throw new UsageError('name the keys, or say --all')
      const gateway = await openClient(options)
      const body = options.all === true ? { all: true } : { keys: [...keys] }
      const answer = await gateway.post<ParkedAnswer>(`/parked/${verb}`, body)
      if (options.json) process.stdout.write(`${JSON.stringify(answer)}\n`)
      else for (const row of answer.rows) process.stdout.write(`${printable(sentenceOf(row))}\n`)
      // Scripts must see that something stayed.
      if (answer.rows.some(({ outcome }) => outcome === 'refused' || outcome === 'not found')) process.exitCode = 1
    })
}

const sentenceOf = ({ key, outcome, reason }: ParkedAnswer['rows'][number]): string =>
  reason === null ? `${key}: ${outcome}` : `${key}: ${outcome}: ${reason}`
