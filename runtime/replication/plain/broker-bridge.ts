/**
 * A bridge to a plain broker: each entry of its tables is a message on a topic of the user's template, and the broker's
 * PUBACK is the end of its journey. A far side like the hub (far-side.ts), with less behind it: a broker keeps no
 * position, so what was sent and not acknowledged when the connection broke is sent again, and may be there twice.
 *
 * Promises: never more than a window of messages without an answer, the broker's own if it names a smaller one (MQTT.js
 * does not hold to it, failures M1, M5); alerts take the next free place, before records, before readings; a broker
 * that takes messages and never answers is left after 30 s, and one that hangs up over a message is not stormed
 * (suspicion.ts, refused-topics.ts).
 */
import { HoldfastError, messageOf } from '../../errors.ts'
import type { Json } from '../../reading.ts'
import type { Window } from '../../schedule.ts'
import type { Seq, TableKind } from '../../store/types.ts'
import { compileTopicTemplate } from '../../topic-template.ts'
import type { FarSide, FarSideStatus } from '../far-side.ts'
import { laneOf, rankOf } from '../lanes/lanes.ts'
import {
  farewellMs,
  messageOverheadBytes,
  plainRetryMs,
  plainWindowKept,
  plainWindowMax,
  provenMs,
  tickMs,
} from '../limits.ts'
import { Link, type LinkOptions, type PublishAnswer, type TlsOptions } from '../link/link.ts'
import type { PlainFormat } from './plain-message.ts'
import { PlainStream, type PlainStreamOptions } from './plain-stream.ts'
import { RefusedTopics } from './refused-topics.ts'
import { type SourceOptions, doorsTo, sourceOf } from '../send/source.ts'
import type { Doors } from '../stream.ts'
import { type Suspect, type Suspicion, acknowledged, aloneNow, hungUp, noSuspicion, proven } from './suspicion.ts'
import { Valve, valveOptions } from '../lanes/valve.ts'

export type PlainPublish = SourceOptions & {
  /** Left out, the default of its kind. */
  readonly topic: string | undefined
  readonly format: PlainFormat
  readonly payload: Json | undefined
  readonly window?: Window | undefined
}

export type BrokerBridgeOptions = {
  readonly name: string
  readonly url: string
  readonly gateway: string
  /** Undefined with a broker that asks for none. */
  readonly username: string | undefined
  readonly password: string | undefined
  readonly publish: readonly PlainPublish[]
  readonly keepaliveMs: number
  readonly tls: TlsOptions | undefined
  readonly rateBytes?: number | undefined
  readonly dailyBytes?: number | undefined
} & Pick<LinkOptions, 'mqtt' | 'clockTrusted' | 'secrets'>

export type BrokerBridgeDoors = Doors & { readonly random: () => number }

export const defaultTopics: Readonly<Record<TableKind, string>> = {
  series: 'holdfast/{gateway}/{table}/{device}/{metric}',
  records: 'holdfast/{gateway}/{table}/{key}',
}

/** Answers of MQTT 5 that will be the same next time: not authorised, the topic; the size, the payload. */
const refusals: ReadonlyMap<number | undefined, 'topic' | 'message'> = new Map([
  [135, 'topic'],
  [144, 'topic'],
  [149, 'message'],
  [153, 'message'],
])

/** MQTT.js says "Publish error: Not authorized", and not of what. */
const refusalWords: ReadonlyMap<number, string> = new Map([
  [135, "the broker's access rules forbid this topic"],
  [144, 'the broker does not take this topic name'],
])

export class BrokerBridge implements FarSide {
  readonly #options: BrokerBridgeOptions
  readonly #doors: BrokerBridgeDoors
  readonly #link: Link
  /** In the order of their lanes. */
  readonly #streams: readonly PlainStream[]
  readonly #valve: Valve
  readonly #watched = new Set<PlainStream>()
  #suspicion: Suspicion = noSuspicion
  #stop = new AbortController()
  #isConnected = false
  #beganAtMs = 0
  #pausedUntilMs = 0
  #wake: () => void = () => {}
  #isWoken = false
  #cancelTick: () => void = () => {}
  #cancelFarewell: () => void = () => {}
  #cancelProof: () => void = () => {}

  /** Starts to dial, and goes on for ever. Throws TABLE_UNKNOWN or BAD_CONFIG for a stream that cannot be. */
  static async open(options: BrokerBridgeOptions, doors: BrokerBridgeDoors): Promise<BrokerBridge> {
    const bridge = new BrokerBridge(options, doors)
    for (const stream of bridge.#streams) await stream.prepare()
    bridge.#tick()
    bridge.#link.open()
    return bridge
  }

  private constructor(options: BrokerBridgeOptions, doors: BrokerBridgeDoors) {
    const log = doors.log.child({ bridge: options.name })
    this.#options = options
    this.#doors = { ...doors, log }
    const refusedTopics = new RefusedTopics()
    this.#streams = options.publish
      .map(published => new PlainStream(this.#streamOptions(published), doorsTo(this.#doors, published), refusedTopics))
      .toSorted((a, b) => rankOf(laneOf(a.options)) - rankOf(laneOf(b.options)))
    this.#valve = new Valve(valveOptions(options), this.#doors)
    this.#valve.onRoom = () => this.#rouse()
    this.#link = new Link(
      {
        ...options,
        clientId: `${options.gateway}-${options.name}`,
        filter: undefined,
      },
      { onUp: () => this.#begin(), onDown: () => this.#end(), onMessage: () => {} },
      doors.time,
      doors.random,
      log,
    )
  }

  #streamOptions({ topic, format, payload, ...source }: PlainPublish): PlainStreamOptions {
    const { name, gateway } = this.#options
    const { table } = source
    const spec = this.#doors.store.tables.get(table)
    if (spec === undefined) {
      const what = `bridge "${name}" names the table "${table}", which does not exist`
      throw new HoldfastError('TABLE_UNKNOWN', what, 'declare it under tables, or take it out of the bridge')
    }
    const compiled = compileTopicTemplate(topic ?? defaultTopics[spec.kind])
    if (!compiled.ok) throw new HoldfastError('BAD_CONFIG', `bridge "${name}", table "${table}": ${compiled.reason}`)
    const message = { gateway, topic: compiled.template, format, payload }
    return { ...sourceOf(source, name), kind: spec.kind, label: name, ...message }
  }

  async close(): Promise<void> {
    this.#cancelTick()
    await this.#link.close()
    this.#end()
    await Promise.all(this.#streams.map(stream => stream.close()))
    await this.#valve.close()
  }

  status(): FarSideStatus {
    const streams = this.#streams.map(stream => this.#valve.marked(stream.status(), laneOf(stream.options)))
    const refused = streams.find(({ state }) => state === 'refused')
    return {
      bridge: this.#options.name,
      url: this.#options.url,
      link: this.#link.status(),
      state: !this.#isConnected ? 'offline' : refused === undefined ? 'talking' : 'refused',
      reason: refused?.reason,
      hub: undefined,
      refused: 0,
      streams,
      valve: this.#valve.status(),
    }
  }

  #begin(): void {
    this.#isConnected = true
    this.#stop = new AbortController()
    this.#beganAtMs = this.#doors.time.monotonicMs()
    for (const stream of this.#streams) stream.begin()
    this.#pump(this.#stop.signal).catch((error: unknown) => {
      this.#doors.log.error({ reason: messageOf(error) }, 'nothing more is sent over this connection')
    })
    this.#cancelProof = this.#doors.time.after(provenMs, () => this.#link.settled())
  }

  #end(): void {
    if (!this.#isConnected) return
    this.#isConnected = false
    this.#cancelFarewell()
    this.#cancelProof()
    this.#suspect()
    for (const stream of this.#streams) stream.end()
    this.#stop.abort()
    this.#rouse()
  }

  /** Was it over a message that the broker hung up? */
  #suspect(): void {
    const { state, kind } = this.#link.status()
    if (state === 'closed') return
    const { after, condemned } = hungUp(this.#suspicion, kind === 'closed' ? this.#firstWaiting() : undefined)
    this.#suspicion = after
    if (condemned === undefined) return
    this.#streamOf(condemned)?.condemn(condemned)
  }

  #firstWaiting(): Suspect | undefined {
    for (const stream of this.#streams) {
      const seq = stream.firstWaiting
      if (seq !== undefined) return { table: stream.options.table, seq }
    }
    return undefined
  }

  #streamOf({ table }: Suspect): PlainStream | undefined {
    return this.#streams.find(stream => stream.options.table === table)
  }

  async #pump(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      this.#isWoken = false
      if (!(await this.#sendOne(signal))) await this.#rest(signal)
    }
  }

  /** One step of the first lane that has one. False if nobody has anything to send, or no room to send it. */
  async #sendOne(signal: AbortSignal): Promise<boolean> {
    if (this.#doors.time.monotonicMs() < this.#pausedUntilMs) return false
    for (const stream of this.#streams) {
      if (signal.aborted) return false
      if (!stream.isReady || !this.#hasRoomFor(stream)) continue
      try {
        const step = await stream.next()
        if (signal.aborted) return false
        if (step.kind === 'nothing') continue
        if (step.kind === 'message') this.#publish(stream, step)
        return true
      } catch (error) {
        if (signal.aborted) return false
        const { table } = stream.options
        this.#doors.log.warn({ table, reason: messageOf(error) }, 'could not read the log; trying again')
      }
    }
    return false
  }

  #hasRoomFor(stream: PlainStream): boolean {
    if (!this.#valve.isOpen(stream.options.table, laneOf(stream.options))) return false
    const waiting = this.#streams.reduce((sum, { waiting: own }) => sum + own, 0)
    const alone = this.#alone()
    if (alone !== undefined) return waiting === 0 && stream === alone && this.#isInPeace()
    const max = Math.min(plainWindowMax, this.#link.receiveMaximum)
    const kept = stream.options.kind === 'series' ? Math.min(plainWindowKept, max - 1) : 0
    return waiting < max - kept
  }

  /** The stream whose message must go alone; none if that message is not there any more. */
  #alone(): PlainStream | undefined {
    const suspect = aloneNow(this.#suspicion)
    const stream = suspect && this.#streamOf(suspect)
    return stream?.hasStill(suspect?.seq ?? 0) === true ? stream : undefined
  }

  #isInPeace(): boolean {
    const peaceMs = aloneNow(this.#suspicion)?.peaceMs ?? 0
    return this.#doors.time.monotonicMs() - this.#beganAtMs >= peaceMs
  }

  #publish(stream: PlainStream, { seq, topic, payload }: { seq: Seq; topic: string; payload: Buffer }): void {
    const { signal } = this.#stop
    this.#valve.spent(topic.length + payload.length + messageOverheadBytes)
    this.#link.publish(topic, payload, answer => {
      if (!signal.aborted) this.#answered(stream, seq, answer)
    })
  }

  #answered(stream: PlainStream, seq: Seq, answer: PublishAnswer): void {
    this.#prove()
    if (answer.isTaken) {
      this.#suspicion = acknowledged(this.#suspicion, { table: stream.options.table, seq })
      // MQTT 5 has a word for no, so there yes is yes.
      if (this.#link.status().mqtt === '5') this.#prove()
      else this.#cancelFarewell = this.#doors.time.after(farewellMs, () => this.#prove())
    } else {
      const what = refusals.get(answer.code)
      if (what === undefined) this.#pause(answer.reason)
      else stream.refused(seq, (answer.code && refusalWords.get(answer.code)) || answer.reason, what)
    }
    this.#rouse()
  }

  /** What was acknowledged last is there: the connection has outlived it. */
  #prove(): void {
    this.#cancelFarewell()
    const { unproven } = this.#suspicion
    this.#suspicion = proven(this.#suspicion)
    if (unproven !== undefined) this.#streamOf(unproven)?.taken(unproven.seq as Seq)
    this.#rouse()
  }

  /** The broker cannot take messages now: after a while they are read again from where it stands. */
  #pause(reason: string): void {
    const nowMs = this.#doors.time.monotonicMs()
    if (nowMs >= this.#pausedUntilMs) this.#doors.log.warn({ reason }, 'the broker takes nothing now; trying again')
    this.#pausedUntilMs = nowMs + plainRetryMs
    for (const stream of this.#streams) stream.begin()
  }

  /** Until an answer comes, a log grows, or a tick passes. */
  async #rest(signal: AbortSignal): Promise<void> {
    for (const stream of this.#streams) if (stream.isCaughtUp && !this.#watched.has(stream)) this.#watch(stream, signal)
    if (this.#isWoken || signal.aborted) return
    await new Promise<void>(resolve => {
      this.#wake = resolve
    })
  }

  #watch(stream: PlainStream, signal: AbortSignal): void {
    this.#watched.add(stream)
    const ended = (): boolean => this.#watched.delete(stream)
    stream.waitForMore(signal).then(
      () => {
        ended()
        this.#rouse()
      },
      // The next tick looks again: at once would be a busy loop.
      (error: unknown) => {
        ended()
        this.#doors.log.debug({ table: stream.options.table, reason: messageOf(error) }, 'could not wait for the log')
      },
    )
  }

  #rouse(): void {
    this.#isWoken = true
    this.#wake()
  }

  #tick(): void {
    const { time, log } = this.#doors
    this.#valve.tick()
    for (const stream of this.#streams) {
      stream.lookAtOldest().catch((error: unknown) => {
        log.debug({ table: stream.options.table, reason: messageOf(error) }, 'could not read the log')
      })
    }
    this.#rouse()
    this.#cancelTick = time.after(tickMs, () => this.#tick())
  }
}
