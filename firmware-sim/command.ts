/**
 * The command line: flags in, a fleet, lines and an exit code out. The live line and complaints go to standard error;
 * standard output has the summary and nothing else, so that a script can read it.
 */
import { readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { parseArgs } from 'node:util'
import type { Summary } from './counts.ts'
import type { FleetEvent } from './device.ts'
import { FleetError, runFleet, type Fleet } from './fleet.ts'
import type { Attack } from './hostile/attack.ts'
import { attacks } from './hostile/attacks.ts'
import { besiege, type SiegeOptions } from './hostile/siege.ts'
import { hostileWords } from './hostile/report.ts'
import { targetOf } from './hostile/target.ts'
import { durationMs } from './plan-schema.ts'
import { formatProblem, nameHint } from './plan-text.ts'
import { defaultPlan, parsePlan, type Plan } from './plan.ts'
import { closingWords, createRateRecorder, liveLine } from './report.ts'

const usage = `Usage: firmware-sim [flags]

Pretend devices that publish to an MQTT broker.

  --plan FILE        the devices and their faults (default: a small cold store)
  --url URL          the broker (default: mqtt://127.0.0.1:1883)
  --seed N           a whole number; the same seed makes the same readings (default: 1)
  --hostile NAMES    attack the broker too: names with commas, or all; docs/hostile.md tells what each does
  --hostile-from IPS addresses of this machine from which attackers connect, with commas
  --no-devices       only the attacks
  --duration TIME    30s, 5m, 1h30m (default: until interrupted)
  --ledger FILE      append a JSON line for every acknowledged reading
  --json             print the summary as JSON
  --rate-report      add what was published and acknowledged per second
  --verbose          a line every second, where there is no terminal, and every connection
  --help             this text`

const flags = {
  plan: { type: 'string' },
  url: { type: 'string', default: 'mqtt://127.0.0.1:1883' },
  seed: { type: 'string', default: '1' },
  hostile: { type: 'string', default: '' },
  'hostile-from': { type: 'string' },
  'no-devices': { type: 'boolean', default: false },
  duration: { type: 'string' },
  ledger: { type: 'string' },
  json: { type: 'boolean', default: false },
  'rate-report': { type: 'boolean', default: false },
  verbose: { type: 'boolean', default: false },
  help: { type: 'boolean', default: false },
} as const

/** Where the words go, and what a command takes from the process that runs it. */
export type Surface = {
  out: (text: string) => void
  err: (text: string) => void
  /** The width of standard error where it is a terminal, in which a line may be written over; else undefined. */
  columns: () => number | undefined
  now: () => number
  /** Calls back on the first wish to stop, and not after the function it returns was called. */
  onInterrupt: (stop: () => void) => () => void
}

/** The exit code: 0 when the fleet ran, 1 when it could not, or never reached the broker. */
export async function runCommand(args: string[], surface: Surface): Promise<number> {
  try {
    const wishes = readFlags(args)
    if (wishes === 'help') {
      surface.out(usage)
      return 0
    }
    return await run(wishes, surface)
  } catch (error) {
    if (!(error instanceof FleetError)) throw error
    surface.err(`${error.message}\n`)
    return 1
  }
}

type Wishes = {
  plan: Plan
  url: string
  seed: number
  durationMs: number | undefined
  ledger: string | undefined
  json: boolean
  rateReport: boolean
  verbose: boolean
  siege: Pick<SiegeOptions, 'from' | 'victims'>
}

async function run(wishes: Wishes, surface: Surface): Promise<number> {
  const { plan, url, seed, durationMs, ledger, json, verbose } = wishes
  const rates = createRateRecorder()
  const onEvent = tellEvents(surface, url, verbose)
  const siege = besiege(plan.hostile, { ...wishes.siege, target: targetOf(plan, url), seed, now: surface.now })
  const fleet = runFleet(plan, { url, seed, durationMs, ledger, now: surface.now, onEvent })
  const lines = setInterval(() => {
    const summary = fleet.summary()
    rates.second(summary)
    const columns = surface.columns()
    // A line that wraps cannot be written over.
    if (columns) surface.err(`${wipe(surface)}${liveLine(summary).slice(0, columns - 1)}`)
    else if (verbose) surface.err(`${liveLine(summary)}\n`)
  }, 1_000)
  const summary = await untilDone(fleet, surface).finally(() => {
    clearInterval(lines)
    siege.stop()
    surface.err(wipe(surface))
  })
  const wanted = wishes.rateReport ? rates.rates() : undefined
  const hostile = siege.counts()
  const asJson = { ...summary, ...(wanted && { rates: wanted }), ...(hostile.length > 0 && { hostile }) }
  surface.out(json ? JSON.stringify(asJson) : [closingWords(summary, wanted), ...hostileWords(hostile)].join('\n\n'))
  return summary.connections > 0 || hostile.some(({ connections }) => connections > 0) ? 0 : 1
}

/** What clears a live line, if there may be one. */
function wipe(surface: Surface): string {
  return surface.columns() ? '\r\x1b[K' : ''
}

async function untilDone(fleet: Fleet, surface: Surface): Promise<Summary> {
  const forget = surface.onInterrupt(() => {
    surface.err(`${wipe(surface)}stopping: waiting for outstanding acknowledgements\n`)
    // Its outcome is that of `done`, which is awaited below.
    void fleet.stop()
  })
  try {
    return await fleet.done
  } finally {
    forget()
  }
}

/** Each connection with --verbose; without it the first refusal, since a silent simulator would be a riddle. */
function tellEvents(surface: Surface, url: string, verbose: boolean): (event: FleetEvent) => void {
  let told = false
  return event => {
    if (event.kind === 'connect-failed' && !told) {
      told = true
      surface.err(`${wipe(surface)}cannot connect to ${withoutPassword(url)}: ${event.reason}; trying again\n`)
    } else if (verbose && (event.kind === 'connected' || event.kind === 'disconnected')) {
      const why = event.kind === 'disconnected' && event.reason ? `: ${event.reason}` : ''
      surface.err(`${wipe(surface)}${event.device} ${event.kind}${why}\n`)
    }
  }
}

function readFlags(args: string[]): Wishes | 'help' {
  const values = parseFlags(args)
  if (values.help) return 'help'
  const seed = Number(values.seed)
  if (!Number.isSafeInteger(seed)) throw new FleetError(`--seed "${values.seed}" is not a whole number`)
  const { duration, ledger, url, json, verbose } = values
  const runMs = duration === undefined ? undefined : durationMs(duration)
  if (duration !== undefined && !runMs) throw new FleetError(`--duration "${duration}" is not a duration: write 60s`)
  const written = values.plan === undefined ? defaultPlan : readPlan(values.plan)
  const hostile = [...written.hostile, ...attacksNamed(values.hostile)]
  if (values['no-devices'] && hostile.length === 0) throw new FleetError('--no-devices needs attacks: --hostile all')
  const from = values['hostile-from']?.split(',')
  const wrong = from?.find(address => isIP(address) === 0)
  if (wrong !== undefined) throw new FleetError(`--hostile-from: "${wrong}" is not an IP address`)
  const siege = { from, victims: written.devices.map(device => device.name) }
  const plan = { devices: values['no-devices'] ? [] : written.devices, hostile }
  return { plan, url, seed, durationMs: runMs, ledger, json, rateReport: values['rate-report'], verbose, siege }
}

function parseFlags(args: string[]) {
  const known = Object.keys(flags).map(name => `--${name}`)
  const { tokens } = parseArgs({ args, options: flags, strict: false, allowPositionals: true, tokens: true })
  for (const token of tokens) {
    if (token.kind === 'positional') throw new FleetError(`"${token.value}" is not a flag; --help lists them`)
    if (token.kind === 'option' && !known.includes(token.rawName)) {
      throw new FleetError(`unknown flag ${token.rawName}${nameHint(token.rawName, known)}`)
    }
  }
  try {
    return parseArgs({ args, options: flags }).values
  } catch (error) {
    // Node's own sentence: a flag without its value, or with one it does not take.
    throw new FleetError(error instanceof Error ? error.message : String(error))
  }
}

function readPlan(file: string): Plan {
  let text: string
  try {
    text = readFileSync(file, 'utf8')
  } catch (error) {
    throw new FleetError(`the plan "${file}" cannot be read: ${error instanceof Error ? error.message : String(error)}`)
  }
  const checked = parsePlan(file, text)
  if (checked.ok) return checked.value
  throw new FleetError(checked.problems.map(formatProblem).join('\n'))
}

function attacksNamed(names: string): readonly Attack[] {
  if (names === 'all') return attacks
  return names
    .split(',')
    .filter(name => name !== '')
    .map(name => {
      const attack = attacks.find(each => each.name === name)
      if (attack) return attack
      const known = attacks.map(each => each.name)
      throw new FleetError(
        `--hostile: there is no attack "${name}"${nameHint(name, known)}; there are ${known.join(', ')}`,
      )
    })
}

function withoutPassword(url: string): string {
  const { protocol, host } = new URL(url)
  return `${protocol}//${host}`
}
