/**
 * Reads along on the wire: no answer names a position that is not on the disk of whoever gives it [I1], no message is
 * larger than brokers take, and a sender goes back at most once for each run that somebody asked back.
 */
import { messageBytesMax } from '../../runtime/replication/limits.ts'
import { decodePosition } from '../../runtime/replication/wire/messages.ts'
import { decodePayload } from '../../runtime/replication/wire/payload.ts'
import { type Direction, parseTopic } from '../../runtime/replication/wire/protocol.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

/** One stream in one conversation. */
type Talk = {
  readonly session: string
  sent: number
  wentBack: number
  /** Runs that frames named, and those that somebody asked back. */
  readonly runs: Set<number>
  readonly asked: Set<number>
}

/** Hellos of one gateway in ten seconds: a link that comes and goes all the time brings fewer. */
const hellosMax = 60

export class Wire {
  readonly #world: World
  readonly #nodes: ReadonlyMap<string, SimNode>
  readonly #talks = new Map<string, Talk>()
  readonly #hellos = new Map<string, number[]>()
  messages = 0
  /** Messages with entries. */
  frames = 0

  constructor(world: World, nodes: ReadonlyMap<string, SimNode>) {
    this.#world = world
    this.#nodes = nodes
  }

  /** A message leaves: `up` from the gateway that its topic names, `down` from the hub. */
  seen(topic: string, payload: Buffer): void {
    this.messages++
    if (payload.length > messageBytesMax) this.#world.violate(`${topic} has ${payload.length} bytes`)
    const parsed = parseTopic(topic)
    if (parsed === undefined) return this.#world.violate(`${topic} is no topic of ours`)
    const { name, gateway, direction, table } = parsed
    if (name === 'hello' && direction === 'up') this.#hello(gateway)
    if (name === 'entries') this.#entries(gateway, direction, table, payload)
    if (name === 'position') this.#answer(gateway, direction, table, payload)
  }

  #hello(gateway: string): void {
    const { nowMs } = this.#world.timeline
    const recent = [...(this.#hellos.get(gateway) ?? []), nowMs].filter(atMs => atMs > nowMs - 10_000)
    this.#hellos.set(gateway, recent)
    if (recent.length > hellosMax) this.#world.violate(`${gateway} said hello ${recent.length} times in 10 s`)
  }

  #entries(gateway: string, direction: Direction, table: string, payload: Buffer): void {
    // A log may reach its limit at any time, and tells of it.
    if (table !== 'gaps') this.frames++
    const kind = this.#nodes.get('hub')?.options.tables.find(({ name }) => name === table)?.kind
    const decoded = decodePayload(payload, kind ?? 'records')
    if (!decoded.ok) return this.#world.violate(`a frame of ${table} cannot be read: ${decoded.detail}`)
    const { session, run, after, last, part } = decoded.value
    if (part > 0) return
    const talk = this.#talk(gateway, direction, table, session)
    if (after < talk.sent) talk.wentBack++
    talk.sent = last
    const asked = [...talk.asked].filter(one => talk.runs.has(one)).length
    talk.runs.add(run)
    if (talk.wentBack <= asked) return
    this.#world.violate(
      `${gateway} ${direction} ${table} went back ${talk.wentBack} times in a conversation, and was asked for ${asked}`,
    )
  }

  #answer(gateway: string, direction: Direction, table: string, payload: Buffer): void {
    const decoded = decodePosition(payload)
    if (!decoded.ok) return this.#world.violate(`an answer about ${table} cannot be read: ${decoded.detail}`)
    const { session, run, seq, wanted } = decoded.value
    const [from, to] = direction === 'up' ? [gateway, 'hub'] : ['hub', gateway]
    const talk = this.#talk(gateway, direction === 'up' ? 'down' : 'up', table, session)
    if (wanted !== undefined) talk.asked.add(run)
    const stored = [...(this.#nodes.get(from)?.store?.states(`position/${to}/${table}`).values() ?? [])]
    const durable = Math.max(0, ...stored.map(value => (value as { seq: number }).seq))
    if (seq > durable) this.#world.violate(`${from} answers ${to} with ${seq} of ${table}; on its disk is ${durable}`)
  }

  #talk(gateway: string, direction: Direction, table: string, session: string): Talk {
    const key = `${gateway} ${direction} ${table}`
    const known = this.#talks.get(key)
    if (known?.session === session) return known
    const fresh = { session, sent: 0, wentBack: 0, runs: new Set<number>(), asked: new Set<number>() }
    this.#talks.set(key, fresh)
    return fresh
  }
}
