/** One seed from its beginning to the verdict. */
import { WallClock } from './clock.ts'
import { Storm } from './faults.ts'
import { Load } from './load.ts'
import { Network } from './network.ts'
import { type Role, SimNode, type WrapStore } from './node.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { judge } from './verdict.ts'
import { Watch } from './watch.ts'
import { type Violation, World } from './world.ts'
import { crc32 } from 'node:zlib'

export type RunOptions = {
  readonly seed: number
  readonly trace?: ((line: string) => void) | undefined
  /** Breaks, for tests of the simulator itself. */
  readonly wrapStore?: WrapStore | undefined
  readonly tamper?: ((way: 'up' | 'down', topic: string, payload: Buffer) => Buffer) | undefined
}

export type Outcome = {
  readonly seed: number
  readonly violations: readonly Violation[]
  readonly digest: string
  /** Of pretend time. */
  readonly tookMs: number
  readonly lines: number
  readonly writes: number
  readonly acknowledged: number
  readonly messages: number
  readonly lives: number
}

/** When the faults are over everything has drained within this: twice the longest back-off, and then some. */
const drainMaxMs = 600_000
const idleMs = 60_000

export async function runSeed({ seed, trace, wrapStore, tamper }: RunOptions): Promise<Outcome> {
  const world = new World(seed, trace)
  const scenario = scenarioOf(seed)
  const { timeline } = world
  let messages = 0
  let entries = 0
  const network = new Network({
    timeline,
    random: world.random(4),
    note: line => world.note(line),
    isBrokerInside: scenario.isBrokerInside,
    seen: (way, topic, payload) => {
      messages++
      if (topic.includes('/entries/')) entries++
      world.note(`${way} ${topic} ${payload.length} ${crc32(payload)}`)
    },
    tamper,
  })
  const nodes = nodesOf(world, scenario, network, wrapStore)
  const load = new Load(world, scenario, nodes)
  const storm = new Storm(world, scenario, nodes, network)
  const watch = new Watch(world, nodes, network)
  world.note(`scenario ${JSON.stringify({ ...scenario, gateways: scenario.gateways.length })}`)
  for (const node of nodes) timeline.after(world.random(5).below(3_000), () => node.boot())
  load.start()
  storm.start()
  watch.start()
  await timeline.pass(scenario.stormMs)
  load.stop()
  storm.end()
  world.note('the storm is over')
  await drain(world, nodes)
  const before = entries
  await timeline.pass(timeline.nowMs + idleMs)
  if (entries > before) world.violate(`${entries - before} frames were sent though there was nothing to say`)
  await judge({ world, scenario, nodes, load, storm })
  const acknowledged = load.written.filter(({ state }) => state === 'acknowledged').length
  const lives = nodes.reduce((sum, node) => sum + node.lives, 0)
  const counts = { lines: world.lines, writes: load.written.length, acknowledged, messages, lives }
  return { seed, violations: world.violations, digest: world.digest(), tookMs: timeline.nowMs, ...counts }
}

function nodesOf(
  world: World,
  scenario: Scenario,
  network: Network,
  wrapStore: WrapStore | undefined,
): readonly SimNode[] {
  const roles: readonly (readonly [string, Role])[] = [
    ['hub', { kind: 'hub', options: scenario.hub }],
    ...scenario.gateways.map(id => [id, { kind: 'gateway', bridge: scenario.bridgeOf(id) }] as const),
  ]
  return roles.map(([id, role], index) => {
    const random = world.random(10 + index)
    const clock = new WallClock(world.timeline, random.below(600_000) - 300_000, (random.next() - 0.5) * 0.001)
    const { tables, commitIntervalMs } = scenario
    return new SimNode(world, network, { id, role, tables, commitIntervalMs, clock, random, wrapStore })
  })
}

/** Until every stream says of itself that nothing is behind, twice in a row. */
async function drain(world: World, nodes: readonly SimNode[]): Promise<void> {
  const { timeline } = world
  const beganMs = timeline.nowMs
  let calm = 0
  const look = (): void => {
    calm = whatIsLeft(nodes) === undefined ? calm + 1 : 0
    timeline.after(500, look)
  }
  look()
  await timeline.pass(beganMs + drainMaxMs, () => calm >= 2)
  const left = whatIsLeft(nodes)
  if (left === undefined) world.note(`drained within ${timeline.nowMs - beganMs} ms`)
  else world.violate(`not drained ${drainMaxMs / 1_000} s after the faults were over: ${left}`)
}

function whatIsLeft(nodes: readonly SimNode[]): string | undefined {
  for (const { id, life, options } of nodes) {
    if (life?.store === undefined) return `${id} does not run`
    if (life.store.status().state !== 'open') return `the store of ${id} is ${life.store.status().state}`
    const talks =
      options.role.kind === 'gateway'
        ? [life.bridge?.status()]
        : nodes
            .filter(node => node.id !== id)
            .map(node => life.hub?.status().gateways.find(({ gateway }) => gateway === node.id))
    for (const talk of talks) {
      if (talk?.state !== 'talking') return `${id} does not talk (${talk?.state})`
      const late = talk.streams.find(({ behind, framesInFlight }) => behind > 0 || framesInFlight > 0)
      if (late !== undefined) return `${id} ${JSON.stringify(late)}`
    }
  }
  return undefined
}
