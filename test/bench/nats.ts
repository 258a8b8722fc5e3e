/**
 * The same backlog through NATS: a leaf node with a JetStream stream on disk, sourced by a stream of the hub. JetStream
 * acknowledges before it syncs (every two minutes, as it comes), so this is a figure beside ours and no equal of it.
 */
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type Socket, connect } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Arrival } from '../../runtime/store/types.ts'
import { freePort, listening, start } from './processes.ts'

/** Just enough of the NATS protocol: publish, and ask JetStream. */
class NatsClient {
  readonly #socket: Socket
  #rest = ''
  #answer: (payload: string) => void = () => undefined

  static async open(port: number): Promise<NatsClient> {
    const socket = connect({ port, host: '127.0.0.1', noDelay: true })
    await once(socket, 'data') // INFO
    socket.write('CONNECT {"verbose":false}\r\nSUB _INBOX.bench 1\r\n')
    return new NatsClient(socket)
  }

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('utf8').on('data', (text: string) => this.#read(text))
  }

  #read(text: string): void {
    this.#rest += text
    if (this.#rest.startsWith('PING')) this.#socket.write('PONG\r\n')
    const message = /MSG _INBOX\.bench 1 (\d+)\r\n/.exec(this.#rest)
    if (message === null) {
      if (!this.#rest.includes('MSG')) this.#rest = ''
      return
    }
    const start = message.index + message[0].length
    if (this.#rest.length < start + Number(message[1])) return
    const payload = this.#rest.slice(start, start + Number(message[1]))
    this.#rest = ''
    this.#answer(payload)
  }

  async ask(subject: string, request: object = {}): Promise<{ state?: { messages: number } }> {
    const payload = JSON.stringify(request)
    const answer = new Promise<string>(resolve => (this.#answer = resolve))
    this.#socket.write(`PUB ${subject} _INBOX.bench ${payload.length}\r\n${payload}\r\n`)
    return JSON.parse(await answer) as { state?: { messages: number } }
  }

  async publish(lines: string): Promise<void> {
    if (!this.#socket.write(lines)) await once(this.#socket, 'drain')
  }

  close(): void {
    this.#socket.destroy()
  }
}

export type NatsRun = {
  readonly pids: readonly number[]
  readonly arrived: () => Promise<number>
  readonly port: number
}

/** Fills the leaf node, brings the hub up, and calls `measure` while it drains. */
export async function withNats<T>(
  rows: Iterable<Arrival>,
  count: number,
  measure: (run: NatsRun) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-bench-nats-'))
  const [edgePort, hubPort, leafPort] = [await freePort(), await freePort(), await freePort()]
  const common = (name: string, port: number): string =>
    `listen: "127.0.0.1:${port}"\nserver_name: ${name}\njetstream { store_dir: "${folder}/${name}", domain: ${name} }\n`
  writeFileSync(join(folder, 'hub.conf'), `${common('hub', hubPort)}leafnodes { listen: "127.0.0.1:${leafPort}" }\n`)
  const remote = `leafnodes { reconnect: 1, remotes: [{ url: "nats://127.0.0.1:${leafPort}" }] }\n`
  writeFileSync(join(folder, 'edge.conf'), common('edge', edgePort) + remote)
  const server = (name: string) =>
    start('nats-server', ['-c', join(folder, `${name}.conf`), '-l', join(folder, `${name}.log`)])
  const edge = server('edge')
  const programs = [edge]
  try {
    await listening(edgePort)
    const near = await NatsClient.open(edgePort)
    await near.ask('$JS.API.STREAM.CREATE.R', { name: 'R', subjects: ['sensors.>'], storage: 'file' })
    let lines = ''
    for (const { device, metric, value, arrivalMs, unit } of rows) {
      const payload = JSON.stringify({ value, time: arrivalMs, unit })
      lines += `PUB sensors.${device}.${metric} ${Buffer.byteLength(payload)}\r\n${payload}\r\n`
      if (lines.length > 200_000) {
        await near.publish(lines)
        lines = ''
      }
    }
    await near.publish(lines)
    while (((await near.ask('$JS.API.STREAM.INFO.R')).state?.messages ?? 0) < count) await pause(50)
    near.close()
    const hub = server('hub')
    programs.push(hub)
    await listening(hubPort)
    await pause(2_000)
    const far = await NatsClient.open(hubPort)
    const sources = [{ name: 'R', external: { api: '$JS.edge.API', deliver: '' } }]
    await far.ask('$JS.API.STREAM.CREATE.R', { name: 'R', storage: 'file', sources })
    const arrived = async (): Promise<number> => (await far.ask('$JS.API.STREAM.INFO.R')).state?.messages ?? 0
    const result = await measure({ pids: [edge.pid, hub.pid], arrived, port: leafPort })
    far.close()
    return result
  } finally {
    await Promise.all(programs.map(program => program.stop()))
    rmSync(folder, { recursive: true, force: true })
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
