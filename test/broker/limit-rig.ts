/**
 * A real broker whose clock stands still until a test moves it, with an honest client behind another address who must be
 * served whatever the greedy ones do.
 */
import assert from 'node:assert/strict'
import { connect as connectSocket } from 'node:net'
import type { TestContext } from 'node:test'
import { type Access, anybody } from '../../runtime/broker/access.ts'
import { type Broker, openBroker } from '../../runtime/broker/broker.ts'
import { type BrokerLimits, defaultBrokerLimits } from '../../runtime/broker/limits.ts'
import type { Intake, Publish } from '../../runtime/broker/publish.ts'
import { silentLog } from '../../runtime/log.ts'
import { type ConnectOptions, RawClient, connectPacket, publishPacket, until } from './rig.ts'

const greedyAddress = '127.0.0.1'
const honestAddress = '127.0.0.9'

/** So that a case meets its own limit and no other. */
const roomy: Partial<BrokerLimits> = {
  publishesPerSecondMax: 1e9,
  publishBurstMax: 1e9,
  publishBytesPerSecondMax: 1e12,
  publishBurstBytesMax: 1e12,
}

/** Readings are under `sensors/`; those of the clients in `held` wait until they are let go. */
class SelectiveIntake implements Intake {
  readonly held = new Set<string>()
  readonly counts = new Map<string, number>()
  #waiting: { readonly publish: Publish; readonly done: () => void }[] = []

  readonly wants = (topic: string): boolean => topic.startsWith('sensors/')

  readonly accept = (publish: Publish, done: () => void): void => {
    this.counts.set(publish.client, (this.counts.get(publish.client) ?? 0) + 1)
    this.#waiting.push({ publish, done })
  }

  readonly flush = (): void => {
    setImmediate(() => this.release())
  }

  release(): void {
    const due = this.#waiting.filter(({ publish }) => !this.held.has(publish.client))
    this.#waiting = this.#waiting.filter(({ publish }) => this.held.has(publish.client))
    for (const { done } of due) done()
  }
}

export type LimitRig = {
  readonly t: TestContext
  readonly broker: Broker
  readonly intake: SelectiveIntake
  /** Causes of the lines in the log. */
  readonly lines: readonly string[]
  /** Readings taken of a client. */
  readonly taken: (client: string) => number
  readonly pass: (ms: number) => void
  readonly count: (name: string) => number
  readonly socket: (from?: string) => Promise<RawClient>
  readonly client: (options: ConnectOptions, from?: string) => Promise<RawClient>
  /** The return code that a login is answered with. */
  readonly login: (username: string, password: string, from?: string) => Promise<number>
  /** The honest client is served: now, and since the last time. */
  readonly served: () => Promise<void>
  readonly stop: () => Promise<void>
}

/** Whoever has the password "right" is let in. */
const passwords: Access = {
  authenticate: ({ password }) => (password?.toString() === 'right' ? anybody : 'denied'),
  standIn: () => anybody,
}

export async function openLimitRig(t: TestContext, limits: Partial<BrokerLimits>, isQuiet: boolean): Promise<LimitRig> {
  const intake = new SelectiveIntake()
  const lines: string[] = []
  const tell = ({ cause }: { readonly cause?: string }): unknown => lines.push(cause ?? '')
  let nowMs = 1e9
  const broker = await openBroker({
    access: passwords,
    listen: [{ host: '127.0.0.1', port: 0 }],
    limits: { ...defaultBrokerLimits, ...roomy, ...limits },
    intake,
    now: () => nowMs,
    log: { ...silentLog, info: tell, warn: tell },
  })
  const port = broker.addresses()[0]?.port ?? 0
  const socket = async (from = greedyAddress): Promise<RawClient> => {
    const opened = connectSocket({ port, host: '127.0.0.1', localAddress: from, noDelay: true, allowHalfOpen: true })
    t.after(() => opened.destroy())
    const client = new RawClient(opened)
    await new Promise<void>(resolve => {
      opened.once('connect', () => resolve())
      opened.once('close', () => resolve())
    })
    return client
  }
  const client = async (options: ConnectOptions, from = greedyAddress): Promise<RawClient> => {
    const opened = await socket(from)
    opened.send(connectPacket({ username: 'anybody', password: Buffer.from('right'), ...options }))
    await opened.next('connack')
    return opened
  }
  const honest = await client({ clientId: 'honest' }, honestAddress)
  const traffic = new Traffic(honest)
  const running = isQuiet ? undefined : traffic.run()
  let isOpen = true
  const stop = async (): Promise<void> => {
    if (!isOpen) return
    isOpen = false
    traffic.isOn = false
    await running
    intake.held.clear()
    intake.release()
    await broker.close()
  }
  t.after(stop)
  return {
    t,
    broker,
    intake,
    lines,
    taken: name => intake.counts.get(name) ?? 0,
    pass: ms => {
      nowMs += ms
    },
    count: name => broker.counters()[name] ?? 0,
    socket,
    client,
    login: async (username, password, from) => {
      const opened = await socket(from)
      opened.send(connectPacket({ clientId: `of-${username}`, username, password: Buffer.from(password) }))
      const packet = await opened.next('connack')
      opened.socket.destroy()
      return packet.cmd === 'connack' ? (packet.returnCode ?? -1) : -1
    },
    served: async () => {
      const before = traffic.acknowledged
      if (isQuiet) await traffic.publishOne()
      else await until(() => traffic.acknowledged > before + 3 || honest.closed)
      assert.ok(traffic.acknowledged > before)
      assert.equal(honest.closed, false, 'the honest client is still there')
    },
    stop,
  }
}

/** One QoS 1 reading after the other, each when the one before is acknowledged. */
class Traffic {
  readonly #client: RawClient
  isOn = true
  acknowledged = 0

  constructor(client: RawClient) {
    this.#client = client
  }

  async publishOne(): Promise<void> {
    const client = this.#client
    const before = client.count('puback')
    client.send(publishPacket('sensors/h', 'x', 1, (this.acknowledged % 60_000) + 1))
    await until(() => client.count('puback') > before || client.closed || !this.isOn)
    this.acknowledged += client.count('puback') - before
  }

  async run(): Promise<void> {
    while (this.isOn && !this.#client.closed) {
      await this.publishOne()
      await new Promise(resolve => setTimeout(resolve, 2))
    }
  }
}
