/** Debian's python3-paho-mqtt: one Python for all its clients, which does what it is told (paho-clients.py). */
import assert from 'node:assert/strict'
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import type { Heard, Kit, Line, Subscriber } from './client-kit.ts'
import { eventually } from '../programs.ts'

/** Debian's own: another python of the machine does not have its packages. */
const python = '/usr/bin/python3'

/** A reason to skip, or false. In CI a missing package is a failure instead. */
export function pahoMissing(): string | false {
  if (spawnSync(python, ['-c', 'import paho.mqtt.client']).status === 0) return false
  if (process.env['CI'] === 'true') throw new Error('paho is missing: install python3-paho-mqtt')
  return 'paho is missing: install the Debian package python3-paho-mqtt'
}

type Event = Partial<Heard> & { readonly event: string; readonly name: string; readonly code?: number }

export function openPaho(): Kit {
  const child = spawn(python, [join('test', 'end-to-end', 'clients', 'paho-clients.py')])
  const clients = new Map<string, PahoClient>()
  let said = ''
  child.stderr.on('data', text => (said += String(text)))
  createInterface(child.stdout).on('line', text => {
    const event = JSON.parse(text) as Event
    clients.get(event.name)?.take(event)
  })
  let count = 0
  const open = async (line: Line, given: object): Promise<PahoClient> => {
    const name = `client-${(count += 1)}`
    const client = new PahoClient(child, name, () => said)
    clients.set(name, client)
    client.tell('open', { line, ...given })
    await client.until('open')
    return client
  }
  return {
    name: 'paho',
    transports: ['mqtt', 'mqtts', 'ws', 'wss'],
    comesBack: () => true,
    async publish(line, message) {
      const client = await open(line, { id: '' })
      client.tell('publish', message)
      await client.until('published')
      await client.leave()
    },
    async subscribe(line, { id, filter, qos, keeps, stays, will }) {
      const client = await open(line, { id, keeps, stays, will })
      client.tell('subscribe', { filter, qos })
      await client.until('subscribed')
      return client
    },
    close: () => void child.kill('SIGKILL'),
  }
}

class PahoClient implements Subscriber {
  readonly heard: Heard[] = []
  readonly #child: ChildProcessWithoutNullStreams
  readonly #name: string
  readonly #said: () => string
  readonly #happened = new Set<string>()

  constructor(child: ChildProcessWithoutNullStreams, name: string, said: () => string) {
    this.#child = child
    this.#name = name
    this.#said = said
  }

  tell(op: string, given: object = {}): void {
    this.#child.stdin.write(`${JSON.stringify({ name: this.#name, op, given })}\n`)
  }

  take({ event, code, topic = '', payload = '', qos = 0, retain = false, note }: Event): void {
    if (event === 'message') this.heard.push({ topic, payload, qos, retain, note: note ?? undefined })
    else this.#happened.add(event === 'open' && code !== 0 ? `refused with ${code}` : event)
  }

  until(event: string): Promise<void> {
    return eventually(
      () =>
        assert.ok(this.#happened.has(event), `paho: not ${event} but ${[...this.#happened].join()} ${this.#said()}`),
      20_000,
    )
  }

  readonly cut = (): Promise<void> => this.#end('cut')
  readonly leave = (): Promise<void> => this.#end('leave')

  async #end(how: 'cut' | 'leave'): Promise<void> {
    this.tell(how)
    await this.until('closed')
  }
}
