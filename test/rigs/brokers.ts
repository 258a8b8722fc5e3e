/**
 * Brokers that we did not write, from Debian's packages: mosquitto, and NATS with JetStream and its MQTT. Each runs on
 * loopback, on a port of its own that it keeps across restarts, in a folder of its own.
 *
 * Promises: what was started is killed by its id, also when a test fails or is itself ended; the folder is removed.
 * `kill` is a power cut for the process; `start` after it is a restart on what is left.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { connect as dial } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connectAsync, type MqttClient } from 'mqtt'
import { freePort, pause } from '../end-to-end/programs.ts'

export type BrokerKind = 'mosquitto' | 'nats'

export type BrokerOptions = {
  /** mosquitto alone: lines of its access file, with `user` lines; without them anybody may do anything. */
  readonly access?: string
  /** mosquitto alone: more lines of its configuration. */
  readonly more?: string
}

export class RealBroker {
  readonly kind: BrokerKind
  readonly port: number
  readonly folder: string
  readonly #command: readonly string[]
  #child: ChildProcess | undefined
  #said = ''
  get said(): string {
    return this.#said
  }
  readonly #clients: MqttClient[] = []

  static async open(kind: BrokerKind, options: BrokerOptions = {}): Promise<RealBroker> {
    const port = await freePort()
    const folder = mkdtempSync(join(tmpdir(), `holdfast-${kind}-`))
    const command = kind === 'mosquitto' ? mosquitto(folder, port, options) : nats(folder, port, await freePort())
    const broker = new RealBroker(kind, port, folder, command)
    await broker.start()
    return broker
  }

  private constructor(kind: BrokerKind, port: number, folder: string, command: readonly string[]) {
    this.kind = kind
    this.port = port
    this.folder = folder
    this.#command = command
  }

  /** Resolves once it takes connections. */
  async start(): Promise<void> {
    const [program = '', ...args] = this.#command
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    this.#child = child
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text: Buffer) => (this.#said += String(text)))
    const kill = (): void => void child.kill('SIGKILL')
    process.once('exit', kill)
    child.once('exit', () => process.off('exit', kill))
    while (!(await isListening(this.port))) {
      if (child.exitCode !== null) throw new Error(`${program} ended: ${this.#said}`)
      await pause(20)
    }
  }

  kill(): Promise<void> {
    return this.#end('SIGKILL')
  }

  /** In peace: it writes down what it has. */
  stop(): Promise<void> {
    return this.#end('SIGTERM')
  }

  async #end(signal: NodeJS.Signals): Promise<void> {
    const child = this.#child
    this.#child = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'close')
    child.kill(signal)
    await ended
  }

  /** One message of somebody, who then leaves. Resolves with the PUBACK, which proves little (MQTT 3.1.1). */
  async say(topic: string, payload: string, username: string): Promise<void> {
    const url = `mqtt://127.0.0.1:${this.port}`
    const client = await connectAsync(url, { protocolVersion: 4, username, reconnectPeriod: 0 })
    client.on('error', () => {})
    await client.publishAsync(topic, payload, { qos: 1 }).catch(() => undefined)
    client.end(true)
  }

  /** mosquitto alone: other access rules, from now on. */
  allow(access: string): void {
    writeFileSync(accessFile(this.folder), access)
    this.#child?.kill('SIGHUP')
  }

  /** It does nothing any more, not even answer pings, and its connections stay, until `thaw`. */
  /** Resolves when every thread of it has stopped: until then it may still answer. */
  async freeze(): Promise<void> {
    const pid = this.#child?.pid
    if (pid === undefined) return
    process.kill(pid, 'SIGSTOP')
    while (!threadStates(pid).every(state => state === 'T')) await pause(1)
  }

  thaw(): void {
    this.#child?.kill('SIGCONT')
  }

  async close(): Promise<void> {
    for (const client of this.#clients.splice(0)) client.end(true)
    await this.kill()
    rmSync(this.folder, { recursive: true, force: true })
  }

  /** A subscriber that keeps its session, so that it misses nothing while it or the broker is away. */
  async listen(filter: string, username?: string): Promise<Heard[]> {
    const heard: Heard[] = []
    const client = await connectAsync(`mqtt://127.0.0.1:${this.port}`, {
      protocolVersion: 4,
      clean: false,
      clientId: `listener-${this.#clients.length}`,
      reconnectPeriod: 100,
      ...(username === undefined ? {} : { username }),
    })
    this.#clients.push(client)
    client.on('error', () => {})
    client.on('message', (topic, payload, { dup }) => heard.push({ topic, payload, dup }))
    await client.subscribeAsync(filter, { qos: 1 })
    return heard
  }
}

export type Heard = { readonly topic: string; readonly payload: Buffer; readonly dup: boolean }

const accessFile = (folder: string): string => join(folder, 'access')

function mosquitto(folder: string, port: number, { access, more = '' }: BrokerOptions): string[] {
  const rules = accessFile(folder)
  if (access !== undefined) writeFileSync(rules, access)
  const config = join(folder, 'mosquitto.conf')
  const lines = [
    `listener ${port} 127.0.0.1`,
    'allow_anonymous true',
    'persistence true',
    `persistence_location ${folder}/`,
    'max_queued_messages 0',
    ...(process.getuid?.() === 0 ? ['user root'] : []),
    ...(access === undefined ? [] : [`acl_file ${rules}`]),
    more,
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return ['mosquitto', '-c', config]
}

function nats(folder: string, port: number, clients: number): string[] {
  const store = join(folder, 'store')
  mkdirSync(store)
  const config = join(folder, 'nats.conf')
  const lines = [
    'server_name: holdfast-test',
    `listen: 127.0.0.1:${clients}`,
    `jetstream { store_dir: "${store}" }`,
    `mqtt { listen: "127.0.0.1:${port}" }`,
  ]
  writeFileSync(config, `${lines.join('\n')}\n`)
  return ['nats-server', '-c', config]
}

function isListening(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = dial(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** The letters of proc(5): T is stopped. */
function threadStates(pid: number): string[] {
  const tasks = `/proc/${pid}/task`
  // The name, in brackets before the state, may hold anything.
  return readdirSync(tasks).map(task =>
    readFileSync(`${tasks}/${task}/stat`, 'utf8')
      .replace(/^.*\) /s, '')
      .charAt(0),
  )
}
