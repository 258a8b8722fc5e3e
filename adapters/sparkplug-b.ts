/**
 * The `sparkplug-b` adapter: edge nodes that speak Sparkplug B (3.0, and 2.2 as far as they are the same).
 *
 *   spBv1.0/plant/NBIRTH/line-1           the node plant.line-1 is here; its metrics, with names, aliases and types
 *   spBv1.0/plant/DDATA/line-1/press-4    readings of the device plant.line-1.press-4, by alias or by name
 *   spBv1.0/plant/NDEATH/line-1           the node and all its devices are gone, if it is the death of this birth (bdSeq)
 *   …/NCMD, …/DCMD, spBv1.0/STATE/…       no readings
 *
 * `Inputs/A` is the metric Inputs.A. bdSeq and the controls (Node Control/…) are no readings, nor is what is null,
 * transient, or not of good quality. Where the sequence has a gap, or nothing is known of a node, its births are asked for,
 * once in 256 messages until they come; until then an alias may mean something else, and what has only that is refused.
 */
import { z } from 'zod'
import { readingsPerMessageMax, reasonCharactersMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import { type Adapter, adapterKind, type Decoded, type Message, type Presence, type Reply } from './adapter.ts'
import { nameFault } from './names.ts'
import { saysNothing } from './presence-words.ts'
import { printable, reject } from './reason.ts'
import { awaitsBirth, type Known, SparkplugMemory } from './sparkplug-memory.ts'
import { readMetrics } from './sparkplug-metrics.ts'
import { decodePayload, type Payload, rebirthRequest } from './sparkplug-payload.ts'
import { topicBase } from './topic-base.ts'

const options = z.strictObject({ base: topicBase('the namespace').default('spBv1.0') })

export const sparkplugKind = adapterKind({
  name: 'sparkplug-b',
  sentence: 'what Sparkplug B edge nodes publish; devices and metrics are named by them',
  options,
  nameOptions: { device: 'always', metric: 'always' },
  decoder: ({ base }) => decoder(base),
})

const verbs = ['NBIRTH', 'NDATA', 'NDEATH', 'DBIRTH', 'DDATA', 'DDEATH'] as const
type Verb = (typeof verbs)[number]

function decoder(base: string): Adapter['decode'] {
  const root = `${base}/`
  return (bytes, _levels, message) => {
    if (!message.topic.startsWith(root)) return reject(`the topic does not begin with "${root}" (base)`)
    const [group = '', word = '', node = '', device, ...rest] = message.topic.slice(root.length).split('/')
    if (group === 'STATE' || word === 'NCMD' || word === 'DCMD') return saysNothing
    const verb = verbs.find(known => known === word)
    if (verb === undefined) return reject(`"${printable(word)}" is no message type of Sparkplug`)
    if ((device !== undefined) !== verb.startsWith('D') || rest.length > 0) {
      return reject(`the topic has another number of levels than ${verb}`)
    }
    const decoded = decodePayload(bytes)
    if (!decoded.ok) return reject(decoded.reason)
    const exchange = new Exchange(message, root, group, node, device, decoded.payload)
    const fault = exchange.nameFault()
    if (fault !== undefined) return reject(fault)
    exchange.take(verb)
    return exchange.outcome()
  }
}

/** One message and what becomes of it. */
class Exchange {
  readonly #payload: Payload
  readonly #device: string | undefined
  readonly #nodeName: string
  readonly #name: string
  readonly #command: string
  readonly #arrivalMs: number | undefined
  readonly #memory: SparkplugMemory
  readonly #readings: Reading[] = []
  readonly #refusals: string[] = []
  readonly #presence: Presence[] = []
  #asks = false

  constructor(
    message: Message,
    root: string,
    group: string,
    node: string,
    device: string | undefined,
    payload: Payload,
  ) {
    this.#payload = payload
    this.#device = device
    this.#nodeName = `${group}.${node}`
    this.#name = device === undefined ? this.#nodeName : `${this.#nodeName}.${device}`
    this.#command = `${root}${group}/NCMD/${node}`
    this.#arrivalMs = message.arrivalMs
    this.#memory = new SparkplugMemory(message, group, node)
  }

  nameFault(): string | undefined {
    return nameFault('the device', this.#name)
  }

  take(verb: Verb): void {
    switch (verb) {
      case 'NBIRTH':
        return this.#bearNode()
      case 'NDEATH':
        return this.#endNode()
      default:
        this.#follow()
    }
    switch (verb) {
      case 'DBIRTH':
        return this.#bearDevice(this.#device ?? '')
      case 'DDEATH':
        this.#memory.forgetDevice(this.#device ?? '')
        this.#presence.push({ device: this.#name, isOnline: false })
        return
      case 'NDATA':
      case 'DDATA':
        this.#read(false)
        return
      default:
        return verb satisfies never
    }
  }

  outcome(): Decoded {
    const { changes } = this.#memory
    const refused = this.#refusals.length === 0 ? undefined : reasonOf(this.#refusals)
    const more = {
      remember: changes.length === 0 ? undefined : changes,
      presence: this.#presence.length === 0 ? undefined : this.#presence,
      replies: this.#asks ? [this.#rebirth()] : undefined,
    }
    if (refused === undefined) return { ok: true, readings: this.#readings, more }
    if (this.#readings.length === 0) return { ok: false, reason: refused, more }
    return { ok: true, readings: this.#readings, more: { ...more, refused } }
  }

  #rebirth(): Reply {
    // While nobody vouches for the clock, the time at which the node sent what led to this is near enough.
    const time = this.#arrivalMs === undefined ? (this.#payload.timestamp ?? 0n) : BigInt(this.#arrivalMs)
    return { topic: this.#command, payload: rebirthRequest(time), qos: 0 }
  }

  #bearNode(): void {
    const before = this.#memory.node
    const bdSeq = bdSeqOf(this.#payload)
    const gone = before !== undefined && before.bdSeq !== bdSeq ? before : undefined
    for (const device of Object.keys(gone?.devices ?? {})) {
      if (device !== '') this.#presence.push({ device: `${this.#nodeName}.${device}`, isOnline: false })
    }
    const full = this.#memory.bear(bdSeq)
    if (full !== undefined) {
      this.#refusals.push(full)
      return
    }
    this.#memory.seq = Number(this.#payload.seq ?? 0n) & 255
    this.#presence.push({ device: this.#name, isOnline: true })
    this.#keepBirth('')
  }

  #bearDevice(device: string): void {
    this.#presence.push({ device: this.#name, isOnline: true })
    // Without its node's birth the device has a value to tell now, but nothing can be kept for it.
    if (this.#memory.node === undefined) this.#read(true)
    else this.#keepBirth(device)
  }

  #keepBirth(device: string): void {
    const count = this.#payload.metrics?.length ?? 0
    const fault =
      count > readingsPerMessageMax
        ? `more than ${readingsPerMessageMax} metrics in one birth`
        : this.#memory.keep(device, this.#read(true))
    if (fault === undefined) return
    this.#refusals.push(fault)
    // To ask for such a birth again would bring the same.
    if (count > readingsPerMessageMax) this.#memory.refuse(device)
  }

  #endNode(): void {
    const { node } = this.#memory
    const bdSeq = bdSeqOf(this.#payload)
    // The will of a connection before this one, which comes late.
    if (node !== undefined && bdSeq !== null && node.bdSeq !== null && bdSeq !== node.bdSeq) return
    for (const device of Object.keys(node?.devices ?? {})) {
      if (device !== '') this.#presence.push({ device: `${this.#nodeName}.${device}`, isOnline: false })
    }
    this.#presence.push({ device: this.#nodeName, isOnline: false })
    this.#memory.forgetNode()
  }

  /** Goes on with the sequence, or asks for the births from which it begins again. */
  #follow(): void {
    const { seq } = this.#payload
    const memory = this.#memory
    const last = memory.seq
    const isFirst = seq === 0n
    if (last === undefined) {
      this.#asks = memory.noteAsked() || isFirst
    } else if (last === awaitsBirth) {
      this.#asks = isFirst
    } else if (seq !== undefined) {
      const isNext = seq === BigInt((last + 1) & 255)
      this.#asks = !isNext
      memory.seq = isNext ? Number(seq) : awaitsBirth
    }
  }

  #read(isBirth: boolean): ReadonlyMap<string, Known> {
    const { seq } = this.#memory
    const metrics = readMetrics({
      payload: this.#payload,
      device: this.#name,
      isBirth,
      trusts: seq !== undefined && seq >= 0,
      find: key => this.#memory.find(this.#device ?? '', key),
      readings: this.#readings,
      refusals: this.#refusals,
    })
    const device = this.#device ?? ''
    if (metrics.missing && !this.#memory.isRefused(device) && this.#memory.noteMiss()) {
      this.#asks = true
      this.#memory.seq = awaitsBirth
    }
    return metrics.named
  }
}

function bdSeqOf({ metrics = [] }: Payload): number | null {
  const metric = metrics.find(({ name }) => name === 'bdSeq')
  const value = metric?.long ?? metric?.int
  return value === undefined ? null : Number(value)
}

const refusalsShown = 3

function reasonOf(refusals: readonly string[]): string {
  const shown = refusals.slice(0, refusalsShown).join('; ')
  const rest = refusals.length - refusalsShown
  return (rest > 0 ? `${refusals.length} metrics refused: ${shown}; …` : shown).slice(0, reasonCharactersMax)
}
