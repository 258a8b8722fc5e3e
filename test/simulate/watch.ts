/**
 * What must hold at every moment of a run, looked at every second of pretend time: positions never run back within an
 * epoch, a sender's cursor never passes what the far side has, nothing goes back to where it came from, everything stays
 * within its bounds, and a stream that calls itself moving moves.
 */
import { parkedTable } from '../../runtime/replication/parked/parked.ts'
import { parkedMax, waitingFramesMax, windowBytesMax, windowFramesMax } from '../../runtime/replication/limits.ts'
import type { StreamStatus } from '../../runtime/replication/stream.ts'
import { type Entry, type ReadingEntry, type Seq, asSeq, seqZero } from '../../runtime/store/types.ts'
import type { Network } from './network.ts'
import type { SimNode } from './node.ts'
import type { World } from './world.ts'

const lookEveryMs = 1_000
/** Rows are read from the disk: not at every look. */
const rowsEvery = 3
/** A stream may call itself moving for so long without its position moving: it asks after 10 s. */
const movingMaxMs = 45_000

export class Watch {
  readonly #world: World
  readonly #nodes: readonly SimNode[]
  readonly #network: Network
  readonly #isChosen: (n: number) => boolean
  readonly #lookAtRows: (node: SimNode) => Promise<void>
  readonly #positions = new Map<string, number>()
  readonly #moved = new Map<string, { readonly confirmed: number; readonly atMs: number }>()
  readonly #readings = new Set<string>()
  #looks = 0
  readonly #looked = new Map<string, Seq>()

  constructor(
    world: World,
    nodes: readonly SimNode[],
    network: Network,
    isChosen: (n: number) => boolean,
    lookAtRows: (node: SimNode) => Promise<void>,
  ) {
    this.#world = world
    this.#isChosen = isChosen
    this.#lookAtRows = lookAtRows
    this.#nodes = nodes
    this.#network = network
  }

  start(): void {
    this.#world.timeline.after(lookEveryMs, () => {
      this.#looks++
      for (const node of this.#nodes) {
        if (node.store === undefined) continue
        this.#lookAtPositions(node)
        this.#lookAtStreams(node)
        void this.#lookAtLogs(node)
        void this.#lookAtParked(node).catch(() => undefined)
        // While a disk does not answer there are no rows to look at.
        if (this.#looks % rowsEvery === 0) void this.#lookAtRows(node).catch(() => undefined)
      }
      void this.#lookAtCursors()
      this.start()
    })
  }

  async #lookAtParked({ id, store }: SimNode): Promise<void> {
    if (store?.tables.has(parkedTable) !== true) return
    let parked = 0
    for await (const _row of store.rows(parkedTable)) parked++
    if (parked > parkedMax) this.#world.violate(`${id} keeps ${parked} parked rows`)
  }

  #lookAtPositions({ id, store, restores }: SimNode): void {
    for (const peer of this.#nodes) {
      for (const table of store?.tables.keys() ?? []) {
        for (const [epoch, value] of store?.states(`position/${peer.id}/${table}`) ?? []) {
          const { seq } = value as { seq: number }
          const name = `${id}#${restores} position/${peer.id}/${table}/${epoch}`
          const before = this.#positions.get(name) ?? 0
          if (seq < before) this.#world.violate(`${name} ran back from ${before} to ${seq}`)
          this.#positions.set(name, seq)
        }
      }
    }
  }

  #lookAtStreams(node: SimNode): void {
    const { life, id } = node
    const exchanges = [
      ...(life?.bridge === undefined ? [] : [life.bridge.status().streams]),
      ...(life?.hub?.status().gateways.map(gateway => gateway.streams) ?? []),
    ]
    for (const streams of exchanges) {
      const sends = streams.filter(({ direction }) => direction === 'send')
      const flying = sends.reduce((sum, { framesInFlight }) => sum + framesInFlight, 0)
      if (flying > windowFramesMax) this.#world.violate(`${id} has ${flying} frames in flight`)
      for (const stream of streams) this.#lookAtStream(node, stream)
    }
    const held = this.#network.heldBytes(id)
    // Frames, their answers, and a greeting or two.
    if (held > 4 * windowBytesMax) this.#world.violate(`the broker holds ${held} bytes for ${id}`)
  }

  #lookAtStream({ id, lives }: SimNode, stream: StreamStatus): void {
    const { bridge, table, direction, confirmed, state, framesInFlight, parked, reason } = stream
    const name = `${id} ${direction} ${table} (${bridge})`
    if (direction === 'receive' && framesInFlight > waitingFramesMax) {
      this.#world.violate(`${name}: ${framesInFlight} frames wait`)
    }
    if (state === 'refused') this.#world.violate(`${name} is refused: ${reason}`)
    if (parked > 0) this.#world.violate(`${name} has parked ${parked} rows`)
    if (direction !== 'send') return
    const { nowMs } = this.#world.timeline
    const key = `${name} ${lives}`
    const before = this.#moved.get(key)
    if (before?.confirmed !== confirmed || state !== 'moving') this.#moved.set(key, { confirmed, atMs: nowMs })
    else if (nowMs - before.atMs > movingMaxMs) {
      this.#world.violate(`${name} calls itself moving, and stays at ${confirmed} since ${nowMs - before.atMs} ms`)
      this.#moved.delete(key)
    }
  }

  /** What is new in each log: nothing of our own may come back from a peer. */
  async #lookAtLogs({ id, store, restores, lives }: SimNode): Promise<void> {
    if (store === undefined) return
    for (const { name: table } of store.tables.values()) {
      const key = `${id}#${restores}/${lives} ${table}`
      const after = this.#looked.get(key) ?? store.head(table)
      this.#looked.set(key, store.head(table))
      for (const entry of await this.#read(store, table, after)) {
        if (entry.kind !== 'gap' && entry.origin === id && entry.via !== '') {
          this.#world.violate(`${id} ${table} ${entry.seq} came back from ${entry.via}`)
        }
        if (entry.kind === 'reading') this.#noteReading(id, entry)
      }
    }
  }

  /** Each reading is in each log once, unless somebody's card was replaced by an older copy. */
  #noteReading(id: string, { origin, value, via }: ReadingEntry): void {
    const name = `${id} ${origin} ${value as number}`
    if (this.#readings.has(name) && this.#nodes.every(({ restores }) => restores === 0)) {
      this.#world.violate(`${id} has the reading ${value as number} of ${origin} once more, from ${via}`)
    }
    this.#readings.add(name)
  }

  /** A cursor says: the far side has everything up to here. It must be true at that moment, and on its disk. */
  async #lookAtCursors(): Promise<void> {
    const hub = this.#nodes.find(({ options }) => options.role.kind === 'hub')
    for (const gateway of this.#nodes) {
      if (gateway === hub || hub?.store === undefined || gateway.store === undefined) continue
      for (const table of gateway.store.tables.keys()) {
        await this.#lookAtCursor(gateway, `bridge/cloud/${table}`, hub, table)
        await this.#lookAtCursor(hub, `gateway/${gateway.id}/${table}`, gateway, table)
      }
    }
  }

  async #lookAtCursor(from: SimNode, cursor: string, to: SimNode, table: string): Promise<void> {
    const { store } = from
    const seq = store?.cursor(cursor)
    const stream = store?.state('streams', cursor) as { epoch: string; floor: number } | undefined
    if (store === undefined || to.store === undefined || seq === undefined || stream === undefined) return
    // A database that was set back knows less of its peers than they know of it.
    if (to.restores > 0) return
    const stored = to.store.state(`position/${from.id}/${table}`, stream.epoch) as { seq: number } | undefined
    const has = Math.max(stored?.seq ?? 0, stream.floor)
    if (has >= seq) return
    const missing = (await this.#read(store, table, asSeq(has))).find(
      entry =>
        entry.kind !== 'gap' &&
        entry.seq <= seq &&
        // Of a row whose entry was trimmed nobody knows any more from whom it came.
        entry.seq >= store.firstSeq(table) &&
        entry.via !== to.id &&
        entry.origin !== to.id &&
        (entry.kind === 'record' || from.options.role.kind === 'hub' || this.#isChosen(entry.value as number)),
    )
    if (missing === undefined) return
    this.#world.violate(
      `${from.id} ${cursor} is at ${seq}, but ${to.id} has only what is up to ${has}: ${missing.seq} is missing there`,
    )
  }

  async #read(store: NonNullable<SimNode['store']>, table: string, after: Seq): Promise<readonly Entry[]> {
    try {
      return await store.read(table, after < seqZero ? seqZero : after, 100_000)
    } catch {
      // The disk does not answer: the next look sees it.
      return []
    }
  }
}
