/** mosquitto_pub and mosquitto_sub: a process for each message and each subscriber. They know no WebSocket. */
import assert from 'node:assert/strict'
import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { eventually } from '../programs.ts'
import {
  type Heard,
  isTls,
  type Kit,
  type Line,
  type Message,
  type Subscriber,
  type SubscriberOptions,
} from './client-kit.ts'

const children = new Set<ChildProcess>()

const lineArgs = (line: Line): string[] => {
  const version = line.version === 5 ? 'mqttv5' : 'mqttv311'
  return ['-h', '127.0.0.1', '-p', String(line.port), '-V', version, ...(isTls(line) ? ['--cafile', line.ca] : [])]
}

function publish(line: Line, { topic, payload, qos, retain, note }: Message): Promise<void> {
  const what = payload === '' ? ['-n'] : ['-m', payload]
  const more = [
    ...(retain === true ? ['-r'] : []),
    ...(note === undefined ? [] : ['-D', 'publish', 'user-property', 'note', note]),
  ]
  const args = [...lineArgs(line), '-t', topic, ...what, '-q', String(qos), ...more]
  return new Promise((resolve, reject) => {
    execFile('mosquitto_pub', args, (error, _out, err) =>
      error ? reject(new Error(`${error.message}: ${err}`)) : resolve(),
    )
  })
}

function willArgs({ topic, payload, qos, retain }: Message): string[] {
  const flags = retain === true ? ['--will-retain'] : []
  return ['--will-topic', topic, '--will-payload', payload, '--will-qos', String(qos), ...flags]
}

async function subscribe(line: Line, { id, filter, qos, keeps, will }: SubscriberOptions): Promise<Subscriber> {
  const session = keeps === true ? ['-c', ...(line.version === 5 ? ['-x', '3600'] : [])] : []
  const args = [
    ...lineArgs(line),
    '-i',
    id,
    '-t',
    filter,
    '-q',
    String(qos),
    ...session,
    ...(will ? willArgs(will) : []),
  ]
  // Into a pipe it would keep its lines to itself until there are many.
  const child = spawn('stdbuf', ['-oL', 'mosquitto_sub', '-d', '-F', '= %q %r %t|%P|%p', ...args])
  children.add(child)
  child.once('close', () => children.delete(child))
  const heard: Heard[] = []
  let isSubscribed = false
  let rest = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop() ?? ''
    for (const part of parts) {
      if (part.startsWith('Subscribed')) isSubscribed = true
      const [, q, r, topic = '', properties = '', payload = ''] =
        /^= (\d) (\d) ([^|]*)\|([^|]*)\|(.*)$/.exec(part) ?? []
      if (q === undefined) continue
      const note = /note:(\S+)/.exec(properties)?.[1]
      heard.push({ topic, payload, qos: Number(q), retain: r === '1', note })
    }
  })
  await eventually(() => assert.ok(isSubscribed, `mosquitto_sub ${id} is not subscribed`))
  const end = async (signal: NodeJS.Signals): Promise<void> => {
    const ended = once(child, 'close')
    child.kill(signal)
    await ended
  }
  return { heard, cut: () => end('SIGKILL'), leave: () => end('SIGTERM') }
}

export const mosquittoKit: Kit = {
  name: 'mosquitto',
  transports: ['mqtt', 'mqtts'],
  // Over TLS it ends at a connection that breaks off, with Debian's broker too. In MQTT 5 it was seen not to come back after
  // a gateway that ended in peace; with Debian's broker it does, and why is not known.
  comesBack: line => line.version === 4 && !isTls(line),
  publish,
  subscribe,
  close: () => children.forEach(child => child.kill('SIGKILL')),
}
