/**
 * Somebody else's broker as a source: we subscribe there with a session that it keeps while we are away, and answer a
 * message only once it is stored [I1]. It dials out and nothing else [I11]; each attempt is a new client.
 *
 *   connecting ──let in──> subscribing ──granted──> connected ──lost──> waiting (back-off) ──> connecting
 *
 * Promises: one log line per change of state; a connection that is half open is noticed within 1.5 keepalives; the
 * back-off starts from its beginning only after a connection that has brought something, or has held for a minute. Where
 * the broker has lost our session, and with it what came while we were away, that is told and counted.
 */
import type { IConnackPacket, MqttClient } from 'mqtt'
import { messageOf } from '../../errors.ts'
import type { Log } from '../../log.ts'
import { pauseMs } from '../../replication/link/backoff.ts'
import { dial } from '../../replication/link/dial.ts'
import type { LinkSecrets } from '../../replication/link/link-contract.ts'
import {
  closedAgainAndAgain,
  closedByFarSide,
  closedWithoutTls,
  type Mishap,
  mishapOf,
  mishapOfCode,
} from '../../replication/link/mishap.ts'
import { OutageLog } from '../../replication/link/outage-log.ts'
import { type MqttChoice, VersionChoice, versionNames } from '../../replication/link/version-choice.ts'
import type { Time } from '../../replication/time.ts'
import type { Intake, Memory } from '../doors.ts'
import { answerTimeoutMs, holdsAfterMs, lastCommitMs, messageBytesMax, unansweredMax } from '../limits.ts'
import type { SourceStatus } from '../status.ts'
import { Guard } from './guard.ts'
import { type Inbound, InboundPackets } from './inbound.ts'
import { Subscriptions } from './subscriptions.ts'
import { Taking } from './taking.ts'
import { Told } from './told.ts'

export type MqttSourceOptions = {
  readonly name: string
  readonly url: string
  readonly clientId: string
  readonly username: string | undefined
  readonly password: string | undefined
  /** In place of `password`. */
  readonly secrets: LinkSecrets | undefined
  readonly mqtt: MqttChoice
  /** MQTT filters. */
  readonly topics: readonly string[]
  readonly qos: 0 | 1 | 2
  /** Messages that the broker has kept from before our subscription. */
  readonly retained: 'changed' | 'never'
  readonly keepaliveMs: number
  readonly sessionExpiryMs: number
}

export type MqttSourceDoors = {
  readonly intake: Intake
  readonly memory: Memory
  readonly time: Time
  readonly clockTrusted: () => boolean
  readonly random: () => number
  readonly log: Log
}

/** So many ends in a row that nothing explains are blamed on another client with our id. */
const closesUnexplained = 3

export class MqttSource {
  readonly #options: MqttSourceOptions
  readonly #doors: MqttSourceDoors
  readonly #outages: OutageLog
  readonly #version: VersionChoice
  readonly #subscriptions: Subscriptions
  readonly #taking: Taking
  #client: MqttClient | undefined
  #guard: Guard | undefined
  #state: 'connecting' | 'connected' | 'waiting' | 'closed' = 'closed'
  #mishap: Mishap | undefined
  #sinceMs: number | undefined
  #nextAttemptAtMs = 0
  #attempts = 0
  #closes = 0
  #takeovers = 0
  #sessionsLost = 0
  /** The one timer: of an answer while subscribing, of the proof while connected, of the back-off while waiting. */
  #cancelTimer: () => void = () => {}
  #forgetSecrets: () => void = () => {}

  static async open(options: MqttSourceOptions, doors: MqttSourceDoors): Promise<MqttSource> {
    const unreleased: number[] = []
    for await (const [id] of doors.memory.kept(ownerOf(options.name))) unreleased.push(Number(id))
    return new MqttSource(options, unreleased, doors)
  }

  private constructor(options: MqttSourceOptions, unreleased: readonly number[], doors: MqttSourceDoors) {
    this.#options = options
    this.#doors = doors
    this.#outages = new OutageLog(doors.log, options.url)
    this.#version = new VersionChoice(options.mqtt)
    const owner = ownerOf(options.name)
    const { memory, time, intake } = doors
    const told = new Told(doors.log, time.monotonicMs)
    this.#subscriptions = new Subscriptions(options, owner, memory)
    this.#taking = new Taking(options, owner, unreleased, {
      intake,
      memory,
      wallMs: time.wallMs,
      monotonicMs: time.monotonicMs,
      onRefused: reason => this.#refused(reason),
      onStored: () => this.#holds(),
      onRoom: () => this.#guard?.readOn(),
      told,
    })
    this.#sinceMs = time.wallMs()
    this.#outages.connecting()
    this.#forgetSecrets = options.secrets?.onChange(() => this.#renew()) ?? (() => {})
    this.#connect()
  }

  /** What is stored by the end is acknowledged; what is not, the broker keeps for us. */
  async close(): Promise<void> {
    this.#forgetSecrets()
    this.#cancelTimer()
    this.#state = 'closed'
    this.#taking.stop()
    const late = new Promise<void>(resolve => {
      this.#cancelTimer = this.#doors.time.after(lastCommitMs, resolve)
    })
    await Promise.race([this.#taking.idle(), late])
    this.#cancelTimer()
    const client = this.#client
    this.#client = undefined
    this.#taking.end()
    if (client !== undefined) await discard(client, client.connected)
  }

  /** Says something to devices there: what their format wants answered. Not kept while we are not connected. */
  async publish(topic: string, payload: Buffer, qos: 0 | 1, retain = false): Promise<void> {
    const client = this.#client
    if (client === undefined || this.#state !== 'connected') throw new Error('the source is not connected')
    await client.publishAsync(topic, payload, { qos, retain })
  }

  status(): SourceStatus {
    const { name, url } = this.#options
    const isConnected = this.#state === 'connected'
    const { monotonicMs } = this.#doors.time
    return {
      name,
      kind: 'mqtt',
      from: url,
      state: isConnected ? 'connected' : 'offline',
      sinceMs: this.#sinceMs,
      reason: isConnected ? undefined : this.#mishap?.reason,
      nextAttemptInMs: this.#state === 'waiting' ? Math.max(0, this.#nextAttemptAtMs - monotonicMs()) : undefined,
      mqtt: isConnected ? versionNames[this.#version.next] : undefined,
      unanswered: this.#taking.unanswered,
      warnings: [this.#options.secrets?.warning()].filter(warning => warning !== undefined),
      counters: { ...this.#taking.counts, sessions_lost: this.#sessionsLost },
    }
  }

  #connect(): void {
    this.#state = 'connecting'
    this.#taking.end()
    const { url, qos: _qos, ...rest } = this.#options
    let ending: Mishap | undefined
    let isWelcome = false
    let client: MqttClient | undefined
    const isOurs = (): boolean => client !== undefined && client === this.#client
    const lost = (mishap: Mishap): void => {
      if (!isOurs()) return
      if (!isWelcome && mishap.kind === 'version' && this.#version.refused()) return this.#again()
      if (isWelcome || mishap.kind !== 'closed') return this.#lost(mishap)
      this.#version.closed()
      this.#lost(url.startsWith('mqtt://') ? closedWithoutTls(mishap) : mishap)
    }
    const broken = (error: Error): void => {
      ending ??= mishapOf(error, this.#around())
      lost(ending)
    }
    try {
      const version = this.#version.next
      const session = {
        expiryMs: this.#options.sessionExpiryMs,
        receiveMaximum: unansweredMax,
        packetBytesMax: messageBytesMax,
      }
      const secrets = this.#options.secrets?.current() ?? { password: this.#options.password, tls: undefined }
      const options = { ...rest, ...secrets, url, version, session }
      client = dial(
        options,
        error => (ending ??= mishapOf(error, this.#around())),
        socket => {
          this.#guard = new Guard(socket, new InboundPackets(messageBytesMax, version), {
            onPackets: packets => !isOurs() || this.#receive(packets, broken),
          })
          return this.#guard
        },
      )
      this.#client = client
      client.on('error', broken)
      client.on('disconnect', ({ reasonCode = 0 }) => {
        ending ??= mishapOfCode(reasonCode, 'it ended the connection', this.#around())
      })
      client.on('close', () => lost(ending ?? closedByFarSide))
      client.on('connect', connack => {
        if (!isOurs() || client === undefined) return
        isWelcome = true
        this.#version.accepted()
        this.#welcomed(client, connack).catch((error: unknown) => {
          if (isOurs()) this.#lost({ kind: 'refused', reason: messageOf(error) })
        })
      })
    } catch (error) {
      this.#retry({ kind: 'certificate', reason: `cannot connect: ${messageOf(error)}` })
    }
  }

  async #welcomed(client: MqttClient, { sessionPresent }: IConnackPacket): Promise<void> {
    const guard = this.#guard
    const wasThere = this.#subscriptions.areKnown
    await this.#taking.begin(sessionPresent, answers => guard?.answer(answers))
    if (client !== this.#client) return
    if (!sessionPresent && wasThere) this.#sessionLost()
    const reason = `the broker did not answer our subscription for ${answerTimeoutMs / 1_000} s`
    this.#cancelTimer = this.#doors.time.after(answerTimeoutMs, () => this.#lost({ kind: 'silent', reason }))
    const isVersion5 = this.#version.next === 5
    const refusal = await this.#subscriptions.bring(client, sessionPresent, isVersion5)
    if (client !== this.#client) return
    this.#cancelTimer()
    if (refusal !== undefined) return this.#lost({ kind: 'refused', reason: refusal })
    this.#isUp()
  }

  #sessionLost(): void {
    this.#sessionsLost++
    const { url } = this.#options
    const sentence = 'the broker has lost our session: what was published there while we were away has not been kept'
    this.#doors.log.warn({ url }, sentence)
  }

  #isUp(): void {
    this.#state = 'connected'
    this.#mishap = undefined
    this.#sinceMs = this.#doors.time.wallMs()
    this.#outages.connected(versionNames[this.#version.next])
    this.#cancelTimer = this.#doors.time.after(holdsAfterMs, () => this.#holds())
  }

  /** The connection has proved itself. */
  #holds(): void {
    if (this.#state !== 'connected') return
    this.#attempts = 0
    this.#closes = 0
    this.#takeovers = 0
    this.#outages.holds()
  }

  #receive(packets: readonly Inbound[], broken: (error: Error) => void): boolean {
    const items = packets.flatMap(packet => (packet.kind === 'other' || packet.kind === 'fault' ? [] : [packet]))
    this.#taking.receive(items)
    const fault = packets.find(packet => packet.kind === 'fault')
    if (fault?.kind === 'fault') broken(new Error(fault.reason))
    return this.#taking.hasRoom
  }

  /** Nothing is acknowledged; the broker sends it again when we come back. */
  #refused(reason: string): void {
    if (this.#client === undefined || this.#state === 'closed') return
    this.#lost({ kind: 'refused', reason: `the store did not take what came: ${reason}` })
  }

  /** Passwords or certificates have changed. */
  #renew(): void {
    if (this.#state === 'closed') return
    this.#attempts = 0
    this.#again()
  }

  /** Another attempt at once. */
  #again(): void {
    this.#drop()
    this.#connect()
  }

  #drop(): void {
    this.#cancelTimer()
    const client = this.#client
    this.#client = undefined
    this.#taking.end()
    if (client !== undefined) void discard(client, false)
  }

  #lost(mishap: Mishap): void {
    const wasUp = this.#state === 'connected'
    this.#drop()
    if (this.#state === 'closed') return
    if (wasUp) this.#sinceMs = this.#doors.time.wallMs()
    const isUnexplained = wasUp && mishap === closedByFarSide && ++this.#closes >= closesUnexplained
    const explained = isUnexplained ? closedAgainAndAgain(this.#options.clientId) : mishap
    if (explained.kind === 'taken-over') this.#takeovers++
    this.#retry(explained)
  }

  #retry(mishap: Mishap): void {
    this.#state = 'waiting'
    this.#mishap = mishap
    this.#outages.lost(mishap)
    const { time, random } = this.#doors
    const waitMs = pauseMs(mishap.kind, this.#attempts++, this.#takeovers - 1, random())
    this.#nextAttemptAtMs = time.monotonicMs() + waitMs
    this.#cancelTimer = time.after(waitMs, () => this.#connect())
  }

  #around(): Parameters<typeof mishapOf>[1] {
    const { url, clientId } = this.#options
    const host = URL.canParse(url) ? new URL(url).host : url
    return { host, clientId, wallMs: this.#doors.time.wallMs(), clockTrusted: this.#doors.clockTrusted() }
  }
}

const ownerOf = (name: string): string => `source:${name}`

/** In peace, a DISCONNECT goes out after the last answers. Its listeners stay: ours know that it is not ours any more. */
function discard(client: MqttClient, inPeace: boolean): Promise<void> {
  return new Promise(resolve => client.end(!inPeace, {}, () => resolve()))
}
