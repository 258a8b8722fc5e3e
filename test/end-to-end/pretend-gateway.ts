/**
 * A whole gateway in this process: real broker on loopback, real LevelDB, rule files in a folder, devices and listeners
 * over real MQTT. Only its clock is in the hand of the test: an hour passes when `pass` says so.
 */
import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type MqttClient, connectAsync } from 'mqtt'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { type Gateway, openGateway } from '../../runtime/gateway.ts'
import { silentLog } from '../../runtime/log.ts'
import { until } from '../replication/rig.ts'
import { collect } from '../store/suite.ts'

export const secondMs = 1_000
export const minuteMs = 60_000
export const hourMs = 60 * minuteMs

/** Machines that share it agree about the time, and know that it is right. */
export type PretendClock = { nowMs: number }

export type PretendOptions = {
  readonly id: string
  readonly clock: PretendClock
  /** What the file of the configuration says besides the id, the store and the rules. */
  readonly config: string
  /** The rules of one group. */
  readonly rules?: string
}

/** What listeners on the local broker were told of an alert. */
export type Told = AlertRow & { readonly event: string; readonly topic: string; readonly bytes: number }

type Sent = { readonly device?: string; readonly metric?: string; readonly timeMs?: number }

export class PretendGateway {
  readonly told: Told[] = []
  readonly #options: PretendOptions
  readonly #folder = mkdtempSync(join(tmpdir(), 'holdfast-pretend-'))
  #boots = 0
  #running: Gateway | undefined
  #client: MqttClient | undefined
  #markers = 0

  constructor(options: PretendOptions) {
    this.#options = options
    mkdirSync(join(this.#folder, 'rules'))
    if (options.rules !== undefined)
      writeFileSync(join(this.#folder, 'rules/test.yaml'), `groups:\n  - name: test\n    rules:\n${options.rules}`)
  }

  get gateway(): Gateway {
    return this.#running ?? assert.fail('the gateway is off')
  }

  /** Boots. Each boot is a new one to the gateway, twenty seconds old when the program starts. */
  async on(): Promise<void> {
    const { clock, id, config } = this.#options
    const store = 'store: { path: ./data, commit_interval: 0, ballast: 1MB }'
    const loaded = loadConfig(join(this.#folder, 'holdfast.yaml'), `gateway: { id: ${id} }\n${store}\n${config}\n`)
    assert.ok(loaded.ok, JSON.stringify(loaded))
    const facts = { service: { name: 'timesyncd', isSynchronised: true }, hasBatteryClock: false } as const
    this.#running = await openGateway(loaded.config, {
      log: silentLog,
      time: {
        wallMs: () => clock.nowMs,
        monotonicMs: () => clock.nowMs,
        boot: { id: `boot-${++this.#boots}`, uptimeMs: 20_000 },
        facts: () => Promise.resolve(facts),
      },
    })
    const [address] = this.gateway.addresses.broker
    if (!address) return
    this.#client = await connectAsync(`mqtt://127.0.0.1:${address.port}`)
    this.#client.on('message', (topic, payload) => this.#hear(topic, payload))
    await this.#client.subscribeAsync(['holdfast/alerts/#', 'marker'], { qos: 1 })
  }

  async off(): Promise<void> {
    await this.#client?.endAsync()
    this.#client = undefined
    await this.#running?.close()
    this.#running = undefined
  }

  async end(): Promise<void> {
    await this.off()
    rmSync(this.#folder, { recursive: true, force: true })
  }

  /** A device publishes; resolves when that is acknowledged. */
  async publish(value: number, { device = 'freezer-1', metric = 'temperature', timeMs }: Sent = {}): Promise<void> {
    const payload = timeMs === undefined ? String(value) : JSON.stringify({ value, time: timeMs })
    await this.#connected.publishAsync(`sensors/${device}/${metric}`, payload, { qos: 1 })
  }

  /** Time goes on; when this resolves, all that has become due is judged, and listeners have heard of it. */
  async pass(ms: number): Promise<void> {
    this.#options.clock.nowMs += ms
    await this.settled()
  }

  async settled(): Promise<void> {
    await this.gateway.settled()
    // What was told before it comes before it.
    const heard = ++this.#markers
    await this.#connected.publishAsync('marker', String(heard), { qos: 1 })
    await until('the listener has caught up', () => this.#lastMarker === heard)
  }

  async alerts(): Promise<AlertRow[]> {
    return (await collect(this.gateway.store.rows('alerts'))).map(({ value }) => value as unknown as AlertRow)
  }

  get #connected(): MqttClient {
    return this.#client ?? assert.fail('this gateway has no broker')
  }

  #lastMarker = 0

  #hear(topic: string, payload: Buffer): void {
    if (topic === 'marker') this.#lastMarker = Number(payload.toString())
    else this.told.push({ ...(JSON.parse(payload.toString()) as Told), topic, bytes: payload.length })
  }
}
