/** `holdfast demo`: the main job on one machine, told while it happens. */
import { Command } from 'commander'
import { wallMs } from '../clock/wall.ts'
import { messageOf } from '../errors.ts'
import type { Outcome } from './demo/story.ts'
import { type Paint, table, terminalOf } from './terminal.ts'

export function demoCommand(): Command {
  return new Command('demo')
    .description('show the whole job in half a minute: a hub, a gateway, a fleet, and a cut link')
    .option('--keep', 'leave hub and gateway running until you interrupt it')
    .option('--seed <NUMBER>', 'another seed gives other noise', '1')
    .option('--json', 'print the counts as JSON, and nothing else')
    .addHelpText(
      'after',
      `
It starts everything in a temporary folder on free ports of this machine, and ends with the counts of both ends: exit code
0 if they agree, 1 if they do not.

Example:
  $ holdfast demo --keep`,
    )
    .action(async ({ keep = false, seed, json = false }: { keep?: boolean; seed: string; json?: boolean }) => {
      const [{ setStage }, { tell }, { Narrator }] = await Promise.all([
        import('./demo/stage.ts'),
        import('./demo/story.ts'),
        import('./demo/narrator.ts'),
      ])
      // With --json the story goes to standard error, so that standard output is the counts alone.
      const stream = json ? process.stderr : process.stdout
      const terminal = terminalOf(stream)
      const narrator = new Narrator(stream, terminal, wallMs)
      // Ctrl-C goes to hub and gateway as well, which close by themselves; a second one ends all of it at once.
      const stop = new AbortController()
      process.once('SIGINT', () => stop.abort(new DemoInterrupted()))
      const stage = await setStage(stop.signal)
      let agrees = false
      let keepsLogs = true
      try {
        const outcome = await tell(stage, narrator, Number(seed), wallMs, stop)
        agrees = outcome.agrees
        if (json) process.stdout.write(`${JSON.stringify(outcome)}\n`)
        else narrator.line(`\n${counts(outcome)}\n${verdict(outcome, terminal.paint)}`)
        if (keep) {
          narrator.line(lookAround(stage))
          await aborted(stop.signal)
        }
      } catch (error) {
        keepsLogs = !stop.signal.aborted
        if (keepsLogs) narrator.line(`\nThe demo failed: ${messageOf(error)}. Its logs are in ${stage.folder}.`)
        throw stop.signal.aborted ? stop.signal.reason : error
      } finally {
        await stage.close(keepsLogs && !agrees)
      }
      if (!agrees) process.exitCode = 1
    })
}

function counts(outcome: Outcome): string {
  const terminal = { paint: (_style: unknown, text: string) => text, cellMax: 80, isTerminal: false }
  return table(
    ['', '>devices', '>gateway', '>hub'],
    [
      [
        'readings acknowledged / stored',
        String(outcome.acknowledged),
        String(outcome.stored_at_gateway),
        String(outcome.stored_at_hub),
      ],
      ['missing / twice at the hub', '', '', `${outcome.missing_at_hub} / ${outcome.twice_at_hub}`],
      ['alerts', '', String(outcome.alerts_at_gateway), String(outcome.alerts_at_hub)],
      ['readings in the snippet', '', '', String(outcome.snippet_readings)],
    ],
    terminal,
  )
}

function verdict({ agrees }: Outcome, paint: Paint): string {
  return agrees
    ? paint(
        'green',
        'They agree: nothing acknowledged was lost, nothing came twice, and the alert did not need the cloud.',
      )
    : paint('red', 'They do not agree. This should never happen: please report it with the folder of logs named below.')
}

function lookAround({
  hub,
  gateway,
  brokerPort,
  folder,
}: {
  hub: { socket: string }
  gateway: { socket: string }
  brokerPort: number
  folder: string
}): string {
  return `
Hub and gateway go on until you press Ctrl-C. Look around from another terminal:
  mosquitto_pub -p ${brokerPort} -t sensors/fridge-1/temperature -m 9.5 -q 1
  npx holdfast alerts --socket ${gateway.socket}
  npx holdfast put thresholds fridge-1/temperature 12 --socket ${hub.socket}
  npx holdfast status --socket ${gateway.socket}
Everything is in ${folder}.`
}

class DemoInterrupted extends Error {
  constructor() {
    super('the demo was interrupted')
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve())
  })
}
