/**
 * Node-RED as its users run it, against a real gateway: a flow publishes readings and says what it hears of commands, in
 * MQTT 3.1.1 and 5, while the gateway and Node-RED itself end and start again. One line per check; ends at the first
 * that fails, with a code that says so.
 *
 * Promises: Node-RED runs in a folder of its own, without an editor and without a port; what was started is ended by its
 * id. It must never be part of `npm test`: it installs Node-RED, once, beside this file's sources.
 */
import assert from 'node:assert/strict'
import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { connectAsync } from 'mqtt'
import type { ReadingForm } from '../../runtime/api/forms.ts'
import { eventually, freePort, type Program, Site, storeConfig } from '../end-to-end/programs.ts'
import { flow } from './node-red-flow.ts'

const home = fileURLToPath(new URL('../../../test/clients/node-red', import.meta.url))
const program = join(home, 'node_modules/node-red/red.js')
const capMs = 30_000

const settings = `module.exports = {
  httpAdminRoot: false,
  httpNodeRoot: false,
  credentialSecret: false,
  mqttReconnectTime: 500,
  telemetry: { enabled: false, updateNotification: false },
  logging: { console: { level: 'warn', metrics: false, audit: false } },
}
`

/** One Node-RED. Its folder outlives the process, as that of a gateway does. */
class NodeRed {
  readonly #folder: string
  #child: ChildProcess | undefined
  #said = ''

  constructor(folder: string, port: number, version: 4 | 5) {
    this.#folder = folder
    mkdirSync(folder)
    writeFileSync(join(folder, 'settings.js'), settings)
    writeFileSync(join(folder, 'flows.json'), JSON.stringify(flow(port, version, join(folder, 'acknowledged'))))
  }

  start(): void {
    const args = [program, '--userDir', this.#folder, '--settings', join(this.#folder, 'settings.js'), 'flows.json']
    const child = spawn(process.execPath, args, { cwd: this.#folder })
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => (this.#said += text))
    }
    process.once('exit', () => child.kill('SIGKILL'))
    this.#child = child
  }

  async stop(): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (!child || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill('SIGTERM')
    await ended
  }

  /** The ids of the readings whose acknowledgement Node-RED has seen. */
  acknowledged(): string[] {
    const lines = readFileSync(join(this.#folder, 'acknowledged'), 'utf8').trim().split('\n')
    return lines.map(line => (JSON.parse(line) as { id: string }).id)
  }

  get said(): string {
    return this.#said.slice(-2_000)
  }
}

/** Publishes one command, and waits for its acknowledgement. */
async function command(port: number, name: string, value: number, retain = false): Promise<void> {
  const client = await connectAsync(`mqtt://127.0.0.1:${port}`)
  await client.publishAsync(`commands/${name}`, JSON.stringify({ value }), { qos: 1, retain })
  await client.endAsync()
}

async function readingsOf(gateway: Program, metric: string): Promise<ReadingForm[]> {
  return (await gateway.readings()).filter(reading => reading.device === 'node-red' && reading.metric === metric)
}

/** So many more readings than there are now. */
async function goesOn(gateway: Program, count = 10): Promise<void> {
  const before = (await readingsOf(gateway, 'temperature')).length
  await eventually(async () => {
    const now = (await readingsOf(gateway, 'temperature')).length
    assert.ok(now >= before + count, `${now - before} more readings`)
  }, capMs)
}

async function hears(gateway: Program, value: number): Promise<void> {
  await eventually(async () => {
    const heard = (await readingsOf(gateway, 'heard')).map(reading => reading.value)
    assert.ok(heard.includes(value), `heard ${JSON.stringify(heard)}, not ${value}`)
  }, capMs)
}

async function checkVersion(version: 4 | 5): Promise<void> {
  const site = new Site()
  const port = await freePort()
  const config = `${storeConfig}\nbroker: { listen: '127.0.0.1:${port}', mqtt5: ${version === 5} }\n`
  const gateway = site.program('gateway', { config: `gateway: { id: gw }\n${config}` })
  const nodeRed = new NodeRed(join(site.folder, 'node-red'), port, version)
  const check = async (about: string, hold: () => Promise<string | void>): Promise<void> => {
    const line = `Node-RED, MQTT ${version === 5 ? '5' : '3.1.1'}: ${about}`
    try {
      const detail = await hold()
      console.log(`ok      ${line}${detail ? ` (${detail})` : ''}`)
    } catch (error) {
      console.log(`not ok  ${line}\n${nodeRed.said}`)
      // What comes after it would fail for the same reason, each only after its cap.
      throw error
    }
  }
  try {
    await gateway.start()
    await command(port, 'retained', 101, true)
    nodeRed.start()
    await check('its readings are stored', () => goesOn(gateway))
    await check('it hears what was retained before it subscribed', () => hears(gateway, 101))
    await command(port, 'now', 102)
    await check('it hears a command', () => hears(gateway, 102))
    await gateway.stop()
    await gateway.start()
    await check('its readings go on after the gateway was stopped and started', () => goesOn(gateway))
    await command(port, 'again', 103)
    await check('it hears a command after that', () => hears(gateway, 103))
    await nodeRed.stop()
    await command(port, 'away', 104)
    await gateway.kill()
    await gateway.start()
    nodeRed.start()
    await check('it hears what was sent while it was away, and the gateway killed meanwhile', () => hears(gateway, 104))
    await check('its readings go on after both were away', () => goesOn(gateway))
    await nodeRed.stop()
    await check('each reading that was acknowledged to it is stored, once and in order', async () => {
      const stored = await readingsOf(gateway, 'temperature')
      const ids = stored.map(({ id }) => id)
      const acknowledged = nodeRed.acknowledged()
      assert.deepEqual([...new Set(ids)], ids, 'stored twice')
      assert.deepEqual(
        stored.map(({ value }) => Number(value)),
        stored.map(({ value }) => Number(value)).toSorted((a, b) => a - b),
        'out of order',
      )
      const lost = acknowledged.filter(id => !ids.includes(id))
      assert.deepEqual(lost, [], 'lost')
      return `${acknowledged.length} acknowledged, ${ids.length} stored`
    })
  } finally {
    await nodeRed.stop()
    await site.remove()
  }
}

if (!existsSync(program)) {
  console.error('installing Node-RED (once)')
  const options = ['--no-audit', '--no-fund', '--no-package-lock', '--omit=optional']
  execFileSync('npm', ['install', ...options, '--prefix', home], { stdio: ['ignore', 'ignore', 'inherit'] })
}
await checkVersion(4)
await checkVersion(5)
