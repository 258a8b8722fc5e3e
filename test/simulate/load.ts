/**
 * What devices and people do to the pretend machines, and the ledger of it: what was written where, and whether it was
 * acknowledged. A device that heard no acknowledgement sends its readings again, with the same ids.
 */
import type { Store } from '../../runtime/store/store.ts'
import { type Arrival, type Change, type Seq, seqZero } from '../../runtime/store/types.ts'
import type { Random } from '../rigs/random.ts'
import type { SimNode } from './node.ts'
import type { Scenario } from './scenario.ts'
import type { World } from './world.ts'

export type Written = {
  readonly n: number
  readonly table: string
  readonly node: string
  /** waiting: nobody knows, for whoever would know has died. */
  state: 'waiting' | 'acknowledged' | 'refused'
  acknowledgedAtMs: number
}

type Batch = { readonly node: SimNode; readonly readings: readonly Arrival[]; readonly written: readonly Written[] }

/** Readings that a device keeps for sending again; what is more it forgets. */
const unansweredMax = 200
const keysMax = 6
export const transactionRowsMax = 4

export class Load {
  readonly written: Written[] = []
  /** The keys of each transaction, by the number that its rows carry. */
  readonly transactions = new Map<number, readonly string[]>()
  /** Readings that were sent again: these stand in the log where the second try found room. */
  readonly sentAgain = new Set<number>()
  readonly #underWay = new Set<{ readonly node: SimNode; readonly store: SimNode['store'] }>()
  /** Where each entry that was acknowledged stands in its origin's log, by `node/table/n`. */
  readonly places = new Map<string, number>()
  readonly #looked = new Map<string, Seq>()
  readonly #world: World
  readonly #scenario: Scenario
  readonly #nodes: readonly SimNode[]
  readonly #random: Random
  readonly #unanswered: Batch[] = []
  #n = 0
  #isOver = false

  constructor(world: World, scenario: Scenario, nodes: readonly SimNode[]) {
    this.#world = world
    this.#scenario = scenario
    this.#nodes = nodes
    this.#random = world.random(2)
  }

  start(): void {
    this.#world.timeline.after(this.#random.below(2 * this.#scenario.writeEveryMs), () => {
      if (this.#isOver) return
      this.#act()
      this.start()
    })
  }

  stop(): void {
    this.#isOver = true
  }

  #act(): void {
    const node = this.#nodes[this.#random.below(this.#nodes.length)]
    const dice = this.#random.next()
    if (node?.store === undefined || node.life?.isAlive !== true) return
    if (node.options.role.kind === 'hub') return dice < 0.5 ? this.#order(node) : this.#threshold(node)
    if (dice < 0.1) return this.#sendAgain(node)
    if (dice < 0.55) return this.#readings(node)
    if (dice < 0.7) return this.#alert(node)
    this.#threshold(node)
  }

  #readings(node: SimNode): void {
    const random = this.#random
    const written: Written[] = []
    const readings = Array.from({ length: 1 + random.below(this.#scenario.burstMax) }, (_, index): Arrival => {
      const one = this.#begin('readings', node)
      written.push(one)
      const wallMs = node.options.clock.wallMs()
      return {
        device: `device-${random.below(4)}`,
        metric: ['temperature', 'humidity'][random.below(2)] ?? '',
        value: one.n,
        deviceTimeMs: random.next() < 0.3 ? wallMs - random.below(60_000) : undefined,
        id: `r${one.n}`,
        unit: undefined,
        arrivalMs: wallMs,
        joined: index > 0 && random.next() < 0.5,
      }
    })
    this.#append({ node, readings, written })
  }

  #sendAgain(node: SimNode): void {
    const at = this.#unanswered.findIndex(batch => batch.node === node)
    const [batch] = at < 0 ? [] : this.#unanswered.splice(at, 1)
    if (batch === undefined) return
    for (const { n } of batch.written) this.sentAgain.add(n)
    this.#append(batch)
  }

  #append(batch: Batch): void {
    this.#unanswered.push(batch)
    if (this.#unanswered.length > unansweredMax) this.#unanswered.shift()
    this.#commit(batch.node, [{ kind: 'append', table: 'readings', readings: batch.readings }], batch.written, () => {
      const at = this.#unanswered.indexOf(batch)
      if (at >= 0) this.#unanswered.splice(at, 1)
    })
  }

  #alert(node: SimNode): void {
    const one = this.#begin('alerts', node)
    const pad = 'x'.repeat(this.#random.below(2_000))
    const value = { n: one.n, pad }
    this.#commit(node, [{ kind: 'put', table: 'alerts', key: `${node.id}/alert-${one.n}`, value }], [one])
  }

  #order(node: SimNode): void {
    const one = this.#begin('orders', node)
    const key = `order-${this.#random.below(keysMax)}`
    const isGone = this.#random.next() < 0.2
    const change: Change = isGone
      ? { kind: 'delete', table: 'orders', key }
      : { kind: 'put', table: 'orders', key, value: { n: one.n } }
    this.#commit(node, [change], [one])
  }

  /** One row, or a transaction of some, large ones now and then so that one message can't hold them. */
  #threshold(node: SimNode): void {
    const random = this.#random
    const table = 'thresholds'
    const count = random.next() < 0.6 ? 1 : 2 + random.below(transactionRowsMax - 1)
    const name = count === 1 ? 'key' : 'row'
    const keys = [...new Set(Array.from({ length: count }, () => `${name}-${random.below(keysMax)}`))]
    const pad = 'y'.repeat(random.next() < 0.05 ? 60_000 : random.below(200))
    const one = this.#begin(table, node)
    if (count > 1) this.transactions.set(one.n, keys)
    const isGone = count === 1 && random.next() < 0.3
    const changes = keys.map(
      (key): Change =>
        isGone ? { kind: 'delete', table, key } : { kind: 'put', table, key, value: { n: one.n, pad } },
    )
    this.#commit(node, changes, [one])
  }

  /** At once, before any limit takes it out of the log again. */
  async #notePlaces({ id, restores }: SimNode, store: Store, table: string): Promise<void> {
    if (table !== 'readings') return
    const key = `${id}#${restores}/${table}`
    const after = this.#looked.get(key) ?? seqZero
    this.#looked.set(key, store.head(table))
    for (const entry of await store.read(table, after, 100_000)) {
      if (entry.kind === 'reading' && entry.origin === id)
        this.places.set(`${id}/${table}/${entry.value as number}`, entry.seq)
    }
  }

  /** True if a slow disk still owes an answer; what a process that died was asked for nobody waits for. */
  get isUnderWay(): boolean {
    return [...this.#underWay].some(({ node, store }) => node.store === store)
  }

  #begin(table: string, node: SimNode): Written {
    const one: Written = { n: ++this.#n, table, node: node.id, state: 'waiting', acknowledgedAtMs: 0 }
    this.written.push(one)
    return one
  }

  #commit(
    node: SimNode,
    changes: readonly Change[],
    written: readonly Written[],
    acknowledged: () => void = () => {},
  ): void {
    const store = node.store
    if (store === undefined) return
    const urgency = changes[0]?.kind === 'append' ? 'interval' : 'now'
    const names = `${node.id} ${written[0]?.table} ${written[0]?.n}${written.length > 1 ? `-${written.at(-1)?.n}` : ''}`
    this.#world.note(`write ${names}`)
    const commit = { node, store }
    this.#underWay.add(commit)
    store.commit(changes, urgency).then(
      () => {
        this.#underWay.delete(commit)
        this.#world.note(`acknowledged ${names}`)
        acknowledged()
        for (const one of written) {
          one.state = 'acknowledged'
          one.acknowledgedAtMs = this.#world.timeline.nowMs
        }
        void this.#notePlaces(node, store, written[0]?.table ?? '').catch(() => undefined)
      },
      (error: unknown) => {
        this.#underWay.delete(commit)
        this.#world.note(`refused ${names}: ${(error as Error).message}`)
        for (const one of written) if (one.state === 'waiting') one.state = 'refused'
      },
    )
  }
}
