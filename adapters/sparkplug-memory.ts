/**
 * What is remembered of Sparkplug's edge nodes, as states that the adapter gives and recalls:
 *
 *   seq GROUP/NODE            the last sequence number, or awaitsBirth where it counts no more
 *   node GROUP/NODE           its bdSeq, its devices and in how many parts their metrics are kept
 *   part GROUP/NODE/DEVICE/I  metrics of a birth: by alias ("#7") or by name ("=Inputs/A"), with type and unit
 *   totals                    how many nodes and metrics that is, to keep it bounded
 *   asked                     nodes without a birth that were asked for one
 *
 * The number that changes with every message stands by itself, so that a message costs a small state and not a large one.
 * A death forgets all of its node.
 */
import {
  sparkplugAskedMax,
  sparkplugMetricsMax,
  sparkplugMissesMax,
  sparkplugNodesMax,
  sparkplugStateCharactersMax,
} from '../runtime/limits.ts'
import type { Json } from '../runtime/reading.ts'
import type { Message } from './adapter.ts'

export const awaitsBirth = -1
/** In place of the number of parts: the birth of the device was more than may be kept. */
const refused = -1

/** A metric as its birth named it. */
export type Known = readonly [name: string, type: number, unit: string | null]
/** The node itself is the device "". */
type Devices = Readonly<Record<string, number>>
type NodeState = {
  readonly bdSeq: number | null
  readonly metrics: number
  readonly devices: Devices
  /** There was a device that had no room. */
  readonly isFull: boolean
  /** How often in this session a metric came that its births had not named. */
  readonly misses: number
}

export type Remembered = { readonly key: string; readonly value: Json | undefined }

type Part = Readonly<Record<string, Known>>
type Totals = { readonly nodes: number; readonly metrics: number }

/** Reads what is remembered, and gathers what shall be. One for each message. */
export class SparkplugMemory {
  readonly #recall: Message['recall']
  readonly #id: string
  readonly #changed = new Map<string, Json | undefined>()

  constructor(message: Message, group: string, node: string) {
    this.#recall = key => message.recall(key)
    this.#id = `${group}/${node}`
  }

  /** What shall be remembered of this message, once for each key. */
  get changes(): Remembered[] {
    return [...this.#changed].map(([key, value]) => ({ key, value }))
  }

  get seq(): number | undefined {
    return this.#read(`seq ${this.#id}`) as number | undefined
  }

  set seq(value: number | undefined) {
    if (value !== this.seq) this.#write(`seq ${this.#id}`, value)
  }

  get node(): NodeState | undefined {
    return this.#read(`node ${this.#id}`) as NodeState | undefined
  }

  /** Is this a node that has not been asked for a birth, of those that were last? */
  noteAsked(): boolean {
    const asked = (this.#read('asked') ?? []) as readonly string[]
    if (asked.includes(this.#id)) return false
    this.#write('asked', [...asked, this.#id].slice(-sparkplugAskedMax))
    return true
  }

  /** Begins a node anew, without devices; says why there is no room for it. */
  bear(bdSeq: number | null): string | undefined {
    const before = this.node
    this.forgetNode()
    const { nodes, metrics } = this.#totals
    if (nodes >= sparkplugNodesMax) return `there are ${sparkplugNodesMax} edge nodes already`
    this.#write('totals', { nodes: nodes + 1, metrics })
    const misses = before !== undefined && before.bdSeq === bdSeq ? before.misses : 0
    this.#writeNode({ bdSeq, metrics: 0, devices: {}, isFull: false, misses })
    const asked = (this.#read('asked') ?? []) as readonly string[]
    if (asked.includes(this.#id)) {
      this.#write(
        'asked',
        asked.filter(id => id !== this.#id),
      )
    }
    return undefined
  }

  /** Keeps the metrics of a birth in place of those that the device had; says why there is no room for them. */
  keep(device: string, metrics: ReadonlyMap<string, Known>): string | undefined {
    this.forgetDevice(device)
    const { node } = this
    if (node === undefined) return 'the edge node has no birth'
    const totals = this.#totals
    if (totals.metrics + metrics.size > sparkplugMetricsMax) {
      this.refuse(device)
      return `there are ${sparkplugMetricsMax} metrics already`
    }
    const parts = partsOf(metrics)
    if (!this.#enter(device, parts.length, metrics.size)) return 'the edge node has too many devices'
    this.#write('totals', { nodes: totals.nodes, metrics: totals.metrics + metrics.size })
    for (const [index, part] of parts.entries()) this.#write(this.#partKey(device, index), part)
    return undefined
  }

  /** Notes that a device's birth was too much, so that it is not asked for again and again. */
  refuse(device: string): void {
    this.forgetDevice(device)
    this.#enter(device, refused, 0)
  }

  isRefused(device: string): boolean {
    const { node } = this
    if (node === undefined) return false
    return Object.hasOwn(node.devices, device) ? node.devices[device] === refused : node.isFull
  }

  /** Whether to ask for births because they have not named a metric: births that did not help are not asked for forever. */
  noteMiss(): boolean {
    const { node } = this
    if (node === undefined || node.misses >= sparkplugMissesMax) return false
    this.#writeNode({ ...node, misses: node.misses + 1 })
    return true
  }

  forgetDevice(device: string): void {
    const { node } = this
    const count = node === undefined || !Object.hasOwn(node.devices, device) ? undefined : node.devices[device]
    if (node === undefined || count === undefined) return
    const metrics = this.#forgetParts(device, count)
    const { [device]: _, ...devices } = node.devices
    this.#writeNode({ ...node, metrics: node.metrics - metrics, devices })
    const totals = this.#totals
    this.#write('totals', { nodes: totals.nodes, metrics: totals.metrics - metrics })
  }

  forgetNode(): void {
    const { node } = this
    if (node === undefined) return
    for (const [device, count] of Object.entries(node.devices)) this.#forgetParts(device, count)
    const { nodes, metrics } = this.#totals
    this.#write('totals', { nodes: nodes - 1, metrics: metrics - node.metrics })
    this.#write(`node ${this.#id}`, undefined)
    this.seq = undefined
  }

  /** A metric of a device by its key in a part, "#7" or "=Inputs/A". */
  find(device: string, key: string): Known | undefined {
    const { node } = this
    const count = node && Object.hasOwn(node.devices, device) ? (node.devices[device] ?? 0) : 0
    for (let index = 0; index < count; index++) {
      const part = this.#read(this.#partKey(device, index)) as Part | undefined
      if (part !== undefined && Object.hasOwn(part, key)) return part[key]
    }
    return undefined
  }

  get #totals(): Totals {
    return (this.#read('totals') ?? { nodes: 0, metrics: 0 }) as Totals
  }

  #enter(device: string, parts: number, metrics: number): boolean {
    const { node } = this
    if (node === undefined) return false
    const entered = { ...node, metrics: node.metrics + metrics, devices: { ...node.devices, [device]: parts } }
    const hasRoom = JSON.stringify(entered).length <= sparkplugStateCharactersMax
    this.#writeNode(hasRoom ? entered : { ...node, isFull: true })
    return hasRoom
  }

  #writeNode(node: NodeState): void {
    this.#write(`node ${this.#id}`, node)
  }

  #forgetParts(device: string, count: number): number {
    let metrics = 0
    for (let index = 0; index < count; index++) {
      const key = this.#partKey(device, index)
      metrics += Object.keys((this.#read(key) ?? {}) as Part).length
      this.#write(key, undefined)
    }
    return metrics
  }

  #partKey(device: string, index: number): string {
    return `part ${this.#id}/${device}/${index}`
  }

  #read(key: string): Json | undefined {
    return this.#changed.has(key) ? this.#changed.get(key) : this.#recall(key)
  }

  #write(key: string, value: Json | undefined): void {
    this.#changed.set(key, value)
  }
}

/** Metrics in portions that one state may hold. */
function partsOf(metrics: ReadonlyMap<string, Known>): Record<string, Known>[] {
  const parts: Record<string, Known>[] = []
  let room = 0
  for (const [key, known] of metrics) {
    const characters = JSON.stringify([key, known]).length
    if (characters > room || parts.length === 0) {
      parts.push({})
      room = sparkplugStateCharactersMax
    }
    const part = parts.at(-1)
    if (part !== undefined) part[key] = known
    room -= characters
  }
  return parts
}
