/**
 * What the demo plays on: a hub, a gateway and the link between them, as the programs that people run, in a folder of
 * their own. Ports are free ones of this machine.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { GatewayStatus } from '../../api/status.ts'
import { HoldfastError } from '../../errors.ts'
import { type GatewayClient, gatewayClient } from '../gateway-client.ts'
import { type DemoLink, openDemoLink } from './link.ts'

export type Actor = {
  readonly socket: string
  readonly client: GatewayClient
  status(): Promise<GatewayStatus>
}

export type Stage = {
  readonly folder: string
  readonly hub: Actor
  readonly gateway: Actor
  readonly link: DemoLink
  readonly brokerPort: number
  /** Ends everything. Keeps the folder if it is asked to, for whoever wants to look. */
  close(keepFolder: boolean): Promise<void>
}

const rule = `groups:
  - name: cold-store
    rules:
      - alert: FridgeTooWarm
        match: { device: "fridge-*", metric: temperature }
        above: { table: thresholds, key: "{device}/{metric}" }
        clear: 6
        snippet: 60s
        labels: { severity: critical }
        annotations:
          summary: "{{ $labels.device }} is at {{ $value }} °C, the limit is {{ $threshold }}"
`

/** Throws the signal's reason if it is aborted meanwhile; then nothing is left running. */
export async function setStage(signal: AbortSignal): Promise<Stage> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-demo-'))
  const [brokerPort, hubPort] = [await freePort(), await freePort()]
  const link = await openDemoLink(hubPort)
  const files = {
    'hub/holdfast.yaml': `gateway: { id: hub }\nhub: { listen: 127.0.0.1:${hubPort} }\n`,
    'gateway/holdfast.yaml': `gateway: { id: gateway-1 }
broker: { listen: 127.0.0.1:${brokerPort} }
bridges:
  - { name: cloud, url: mqtt://127.0.0.1:${link.port}, publish: [alerts, readings], subscribe: [thresholds] }
`,
    'gateway/rules/cold-store.yaml': rule,
  }
  for (const path of ['hub', 'gateway/rules']) mkdirSync(join(folder, path), { recursive: true })
  for (const [path, text] of Object.entries(files)) writeFileSync(join(folder, path), text)
  const started: { stop(): Promise<void> }[] = []
  const close = async (keepFolder: boolean): Promise<void> => {
    for (const actor of started.toReversed()) await actor.stop()
    await link.close()
    if (!keepFolder) rmSync(folder, { recursive: true, force: true })
  }
  try {
    const hub = start(join(folder, 'hub'))
    started.push(hub)
    await hub.answering(signal)
    const gateway = start(join(folder, 'gateway'))
    started.push(gateway)
    await gateway.answering(signal)
    return { folder, hub, gateway, link, brokerPort, close }
  } catch (error) {
    await close(false)
    throw signal.aborted ? signal.reason : error
  }
}

function start(folder: string): Actor & { answering(signal: AbortSignal): Promise<void>; stop(): Promise<void> } {
  // The demo is one verb of the program; the others play in it.
  const program = process.argv[1] ?? ''
  const log = join(folder, 'log')
  const output = openSync(log, 'a')
  const child = spawn(process.execPath, [program, 'run', '--config', join(folder, 'holdfast.yaml')], {
    stdio: ['ignore', output, output],
  })
  const socket = join(folder, 'data/holdfast.sock')
  const client = gatewayClient(socket)
  const status = (): Promise<GatewayStatus> => client.get<GatewayStatus>('/status')
  return { socket, client, status, answering: signal => answering(child, status, log, signal), stop: () => stop(child) }
}

async function answering(
  child: ChildProcess,
  status: () => Promise<unknown>,
  log: string,
  signal: AbortSignal,
): Promise<void> {
  for (;;) {
    signal.throwIfAborted()
    if (child.exitCode !== null || child.signalCode !== null) {
      throw new HoldfastError(
        'GATEWAY_NOT_RUNNING',
        `a part of the demo did not start: ${readFileSync(log, 'utf8').trim()}`,
      )
    }
    try {
      await status()
      return
    } catch (error) {
      if (!(error instanceof HoldfastError && error.code === 'GATEWAY_NOT_RUNNING')) throw error
      await new Promise(resolve => setTimeout(resolve, 50))
    }
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  child.kill('SIGTERM')
  await once(child, 'exit')
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  server.close()
  await once(server, 'close')
  return port
}
