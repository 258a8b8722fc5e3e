/** `holdfast decode TOPIC [PAYLOAD]`: what the routes of a configuration make of a message. No gateway is needed. */
import { readFileSync } from 'node:fs'
import { Command } from 'commander'
import type { Decoded } from '../../adapters/adapter.ts'
import type { Config } from '../config/config.ts'
import { HoldfastError, messageOf } from '../errors.ts'
import { exitCodes, UsageError } from './failure.ts'
import { printable, table, terminalOf } from './terminal.ts'

type Options = { readonly config?: string; readonly file?: string; readonly hex?: true; readonly json?: true }

export function decodeCommand(): Command {
  return new Command('decode')
    .description('show what the routes make of a message, without storing it')
    .argument('<TOPIC>', 'the topic that it would come on')
    .argument('[PAYLOAD]', 'the message itself')
    .option('--config <FILE>', 'the configuration with the routes')
    .option('--file <FILE>', 'read the message from a file, or from standard input with -')
    .option('--hex', 'the message is written in hex')
    .option('--json', 'print {route, adapter, ok, readings, reason} as JSON')
    .addHelpText(
      'after',
      `
Exit code 1 if no route takes the topic, or if the message would be rejected. What earlier messages told (the aliases of
Sparkplug, say) is not known here.

Examples:
  $ holdfast decode sensors/freezer-1/temperature '{"value": -18.5}'
  $ mosquitto_sub -t 'sensors/#' -C 1 -F '%x' | holdfast decode --hex --file - sensors/freezer-1/temperature`,
    )
    .action(async (topic: string, text: string | undefined, options: Options) => {
      const payload = payloadOf(text, options)
      const { requireWholeConfig } = await import('./find-config.ts')
      const { config } = await requireWholeConfig(options.config)
      const { route, adapter, decoded } = await decode(config, topic, payload)
      if (!decoded.ok) process.exitCode = exitCodes.failure
      if (options.json) process.stdout.write(`${JSON.stringify({ route, adapter, ...decoded })}\n`)
      else if (decoded.ok) process.stdout.write(page(decoded))
      else process.stderr.write(`Rejected by route ${route} (${adapter}): ${printable(decoded.reason)}\n`)
    })
}

function payloadOf(text: string | undefined, { file, hex }: Options): Buffer {
  if ((text === undefined) === (file === undefined)) throw new UsageError('name the message, or a file with --file')
  const bytes = text === undefined ? readPayload(file ?? '-') : Buffer.from(text)
  if (!hex) return bytes
  const digits = bytes.toString('latin1').replace(/\s+/g, '')
  if (!/^(?:[0-9a-fA-F]{2})*$/.test(digits)) throw new UsageError('the message is not in hex')
  return Buffer.from(digits, 'hex')
}

function readPayload(file: string): Buffer {
  try {
    return readFileSync(file === '-' ? 0 : file)
  } catch (error) {
    throw new HoldfastError('FILE_UNREADABLE', `${file} cannot be read: ${messageOf(error)}`, '', error)
  }
}

async function decode(config: Config, topic: string, payload: Buffer) {
  const [{ openRoute }, { Routes }] = await Promise.all([import('../intake.ts'), import('../ingest/routes.ts')])
  const routes = config.routes.map(openRoute)
  const found = new Routes(routes).find(topic)
  if (!found) {
    const topics = config.routes.map(route => route.topic).join(', ')
    throw new HoldfastError('NOT_FOUND', `no route takes the topic ${topic}`, `the routes take: ${topics}`)
  }
  const about = { topic, retain: false, arrivalMs: undefined, recall: () => undefined }
  const index = routes.indexOf(found.route)
  return {
    route: index + 1,
    adapter: config.routes[index]?.adapter ?? '',
    decoded: found.route.adapter.decode(payload, found.levels, about),
  }
}

function page({ readings, more = {} }: Decoded & { readonly ok: true }): string {
  const rows = readings.map(({ device, metric, value, unit = '', deviceTimeMs, id = '' }) => [
    device,
    metric,
    `${typeof value === 'string' ? value : JSON.stringify(value)}${unit === '' ? '' : ` ${unit}`}`,
    deviceTimeMs === undefined ? '' : new Date(deviceTimeMs).toISOString(),
    id,
  ])
  const list =
    rows.length === 0 ? '' : table(['device', 'metric', 'value', 'time', 'id'], rows, terminalOf(process.stdout))
  const told = Object.entries(more).map(([name, value]) => `${name}: ${printable(JSON.stringify(value) ?? '')}\n`)
  return list + told.join('') || 'Understood; it has no reading.\n'
}
