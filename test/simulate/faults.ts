/** The storm: faults from the seed, each for a while, until it is over and the weather clears. */
import type { Random } from '../rigs/random.ts'
import type { Image } from './disk.ts'
import type { Network } from './network.ts'
import type { SimNode } from './node.ts'
import type { FaultKind, Scenario } from './scenario.ts'
import type { World } from './world.ts'

/** Clocks differ by less than what a receiver believes (an hour), or rows would be parked and nothing converge. */
const skewMaxMs = 20 * 60_000

export class Storm {
  readonly #world: World
  readonly #scenario: Scenario
  readonly #nodes: readonly SimNode[]
  readonly #network: Network
  readonly #random: Random
  #isOver = false
  /** When the copy was made that a machine was set back to, for each time that this happened. */
  readonly setBack: { readonly node: string; readonly copiedAtMs: number; readonly atMs: number }[] = []
  readonly #copies = new Map<SimNode, { readonly image: Image; readonly atMs: number }>()

  constructor(world: World, scenario: Scenario, nodes: readonly SimNode[], network: Network) {
    this.#world = world
    this.#scenario = scenario
    this.#nodes = nodes
    this.#network = network
    this.#random = world.random(3)
  }

  start(): void {
    this.#world.timeline.after(this.#random.below(2 * this.#scenario.faultEveryMs), () => {
      if (this.#isOver) return
      const { faults } = this.#scenario
      const kind = faults[this.#random.below(faults.length)]
      if (kind !== undefined) this.#strike(kind)
      this.start()
    })
  }

  /** Everything works again, and every machine runs. */
  end(): void {
    this.#isOver = true
    for (const node of this.#nodes) {
      Object.assign(node.disk.weather, { failChance: 0, isDead: false, isFull: false, slowMs: 8 })
      node.options.clock.learn()
      const weather = this.#network.weather(node.id)
      Object.assign(weather, { refuses: false, latencyMs: 20, bytesPerMs: 500, repeatChance: 0 })
      Object.assign(weather.silent, { up: false, down: false })
      this.#network.resume(node.id)
      node.boot()
    }
  }

  #strike(kind: FaultKind): void {
    const random = this.#random
    const gateways = this.#nodes.filter(({ options }) => options.role.kind === 'gateway')
    const gateway = gateways[random.below(gateways.length)] as SimNode
    const node = this.#nodes[random.below(this.#nodes.length)] as SimNode
    const forMs = [500, 5_000, 30_000][random.below(3)] as number
    const untilMs = random.below(forMs)
    this.#world.note(`fault ${kind}`)
    switch (kind) {
      case 'cut':
        return this.#network.cut(gateway.id, 'the connection was cut')
      case 'half-open':
        return this.#silence(gateway, untilMs)
      case 'refuse':
        this.#during(gateway, untilMs, { refuses: true }, { refuses: false })
        return this.#network.cut(gateway.id, 'the connection was cut, and the next are refused')
      case 'slow':
        return this.#during(gateway, untilMs, { bytesPerMs: 0.3 + random.next() * 4 }, { bytesPerMs: 500 })
      case 'lag':
        return this.#during(gateway, untilMs, { latencyMs: random.below(3_000) }, { latencyMs: 20 })
      case 'repeat':
        return this.#during(gateway, untilMs, { repeatChance: 0.3 }, { repeatChance: 0 })
      case 'kill':
      case 'power-cut':
        node.kill(kind === 'kill')
        return this.#bootLater(node)
      case 'disk-errors':
        Object.assign(node.disk.weather, { failChance: 0.05 + random.next() * 0.4 })
        return this.#clearDisk(node, untilMs)
      case 'disk-dead':
        Object.assign(node.disk.weather, { isDead: true })
        return this.#clearDisk(node, untilMs)
      case 'disk-slow':
        Object.assign(node.disk.weather, { slowMs: 50 + random.below(2_000) })
        return this.#clearDisk(node, untilMs)
      case 'disk-full':
        Object.assign(node.disk.weather, { isFull: true })
        return this.#clearDisk(node, untilMs)
      case 'clock-step':
        node.options.clock.offsetMs = random.below(2 * skewMaxMs) - skewMaxMs
        return
      case 'no-rtc':
        node.kill(false)
        node.options.clock.forget()
        this.#world.timeline.after(random.below(30_000), () => node.options.clock.learn())
        return this.#bootLater(node)
      case 'old-copy':
        return this.#oldCopy(gateway)
    }
  }

  #silence(gateway: SimNode, forMs: number): void {
    const { silent } = this.#network.weather(gateway.id)
    const which = this.#random.below(3)
    if (which !== 1) silent.up = true
    if (which !== 2) silent.down = true
    this.#world.timeline.after(forMs, () => {
      Object.assign(silent, { up: false, down: false })
      this.#network.resume(gateway.id)
    })
  }

  #during(gateway: SimNode, forMs: number, during: object, after: object): void {
    const weather = this.#network.weather(gateway.id)
    Object.assign(weather, during)
    this.#world.timeline.after(forMs, () => Object.assign(weather, after))
  }

  #clearDisk(node: SimNode, afterMs: number): void {
    this.#world.timeline.after(afterMs, () =>
      Object.assign(node.disk.weather, { failChance: 0, isDead: false, isFull: false, slowMs: 8 }),
    )
  }

  #bootLater(node: SimNode): void {
    const afterMs = this.#random.next() < 0.5 ? this.#random.below(500) : this.#random.below(40_000)
    this.#world.timeline.after(afterMs, () => node.boot())
  }

  /** First a backup is made; the next time it takes the place of the card. */
  #oldCopy(node: SimNode): void {
    const copy = this.#copies.get(node)
    if (copy === undefined) {
      this.#copies.set(node, { image: node.disk.image(), atMs: this.#world.timeline.nowMs })
      return
    }
    this.#copies.delete(node)
    node.kill(false)
    node.restore(copy.image)
    this.setBack.push({ node: node.id, copiedAtMs: copy.atMs, atMs: this.#world.timeline.nowMs })
    this.#bootLater(node)
  }
}
