/** `holdfast devices`: who is here, and when the others were. */
import { Command, Option } from 'commander'
import type { DeviceForm, DevicesListed } from '../api/devices.ts'
import { type ClientOptions, openClient, withGateway } from './options.ts'
import { printItems } from './rows.ts'
import { type Cell, type Style, age } from './terminal.ts'

type DevicesOptions = ClientOptions & { readonly state?: string }

const titles = ['state', 'device', 'last seen', 'first seen', 'adapter', 'why', 'labels']

export function devicesCommand(): Command {
  return withGateway(new Command('devices'))
    .description('list the devices: who is online, and when each was seen')
    .argument('[PATTERN]', 'only devices of such a name; * stands for any characters')
    .addOption(new Option('--state <STATE>', 'only those').choices(['online', 'offline', 'never']))
    .option('--json', 'print a JSON object for each line')
    .addHelpText(
      'after',
      `
A device is online while it sends readings. It is offline once it, or its will, has said so, or when it has sent nothing for
devices.offline_after of the configuration. "never" are devices that the configuration names and nobody has heard. The
same stands in the table devices; when a device was last seen is written there every ten minutes, and told here exactly.

Examples:
  $ holdfast devices
  $ holdfast devices --state offline
  $ holdfast devices 'freezer-*' --json`,
    )
    .action(listDevices)
}

async function listDevices(pattern: string | undefined, { state, ...options }: DevicesOptions): Promise<void> {
  const gateway = await openClient(options)
  const { devices, now_ms: nowMs } = await gateway.get<DevicesListed>('/devices', { device: pattern, state })
  const isJson = options.json === true
  if (devices.length === 0 && !isJson) {
    process.stdout.write(
      pattern === undefined && state === undefined
        ? 'No device has sent anything yet.\n'
        : 'There are no such devices.\n',
    )
    return
  }
  await printItems(each(devices), titles, device => cells(device, nowMs), isJson)
}

const styles: Readonly<Record<string, Style>> = { online: 'green', offline: 'red', never: 'yellow' }

function cells(form: DeviceForm, nowMs: number): readonly Cell[] {
  const { device, state, first_seen_ms: first, last_seen_ms: last, adapter, why, labels } = form
  const ago = (ms: number | null): string => (ms === null ? '-' : `${age(nowMs - ms)} ago`)
  const style = styles[state]
  return [
    style === undefined ? state : { text: state, style },
    device,
    ago(last),
    ago(first),
    adapter ?? '-',
    why ?? '-',
    Object.entries(labels)
      .map(([name, text]) => `${name}=${text}`)
      .join(' ') || '-',
  ]
}

// oxlint-disable-next-line require-await -- what is printed comes as it comes
async function* each<T>(items: readonly T[]): AsyncGenerator<T> {
  yield* items
}
