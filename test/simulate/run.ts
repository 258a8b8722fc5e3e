/** One seed from its beginning to the verdict. */
import { crc32 } from 'node:zlib'
import type { Json } from '../../runtime/reading.ts'
import { decodeValue, encodeMessage } from '../../runtime/replication/wire/codec.ts'
import type { Break } from './breaks.ts'
import { WallClock } from './clock.ts'
import { Storm } from './faults.ts'
import { Load } from './load.ts'
import { Network } from './network.ts'
import { type Role, SimNode } from './node.ts'
import { type Scenario, scenarioOf } from './scenario.ts'
import { judge, judgeTransactions } from './verdict.ts'
import { Watch } from './watch.ts'
import { Wire } from './wire.ts'
import { type Violation, World } from './world.ts'

export type RunOptions = {
  readonly seed: number
  readonly trace?: ((line: string) => void) | undefined
  /** For tests of the simulator itself. */
  readonly broken?: Break | undefined
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
/** What follows from the first violation is rarely worth waiting for. */
const afterViolationMs = 5_000

export async function runSeed({ seed, trace, broken }: RunOptions): Promise<Outcome> {
  const world = new World(seed, trace)
  const usual = scenarioOf(seed)
  const scenario = { ...usual, faults: broken?.faults ?? usual.faults }
  const { timeline } = world
  const nodesById = new Map<string, SimNode>()
  const wire = new Wire(world, nodesById)
  const tamper = broken?.tamper?.(nodesById)
  const network = new Network({
    timeline,
    random: world.random(4),
    note: line => world.note(line),
    isBrokerInside: scenario.isBrokerInside,
    sent: (topic, whole) => {
      const payload = asOldEndsSay(scenario, topic, whole)
      world.note(`${topic} ${payload.length} ${crc32(payload)}`)
      wire.seen(topic, payload)
      return tamper?.(topic, payload) ?? payload
    },
  })
  const nodes = nodesOf(world, scenario, network, broken?.wrapStore)
  for (const node of nodes) nodesById.set(node.id, node)
  const load = new Load(world, scenario, nodes)
  const storm = new Storm(world, scenario, nodes, network)
  const watch = new Watch(world, nodes, network, scenario.isChosen, async node => {
    // Of a transaction that a limit took out of the log the standing rows are sent, each for itself.
    if (scenario.limitsOf(node.id).length === 0) await judgeTransactions({ world, load }, node)
  })
  world.note(`scenario ${JSON.stringify({ ...scenario, gateways: scenario.gateways.length })}`)
  for (const node of nodes) timeline.after(world.random(5).below(3_000), () => node.boot())
  load.start()
  storm.start()
  watch.start()
  const isOver = (): boolean => timeline.nowMs > world.firstViolationAtMs + afterViolationMs
  await timeline.pass(scenario.stormMs, isOver)
  load.stop()
  storm.end()
  world.note('the storm is over')
  await drain(world, nodes, load, isOver)
  const before = wire.frames
  await timeline.pass(timeline.nowMs + idleMs, isOver)
  if (wire.frames > before) world.violate(`${wire.frames - before} frames were sent though there was nothing to say`)
  if (!isOver()) await judge({ world, scenario, nodes, load, storm })
  const acknowledged = load.written.filter(({ state }) => state === 'acknowledged').length
  const lives = nodes.reduce((sum, node) => sum + node.lives, 0)
  const counts = { lines: world.lines, writes: load.written.length, acknowledged, messages: wire.messages, lives }
  return { seed, violations: world.violations, digest: world.digest(), tookMs: timeline.nowMs, ...counts }
}

function nodesOf(
  world: World,
  scenario: Scenario,
  network: Network,
  wrapStore: Break['wrapStore'],
): readonly SimNode[] {
  const roles: readonly (readonly [string, Role])[] = [
    ['hub', { kind: 'hub', options: scenario.hub }],
    ...scenario.gateways.map(id => [id, { kind: 'gateway', bridge: scenario.bridgeOf(id) }] as const),
  ]
  return roles.map(([id, role], index) => {
    const random = world.random(10 + index)
    const clock = new WallClock(world.timeline, random.below(600_000) - 300_000, (random.next() - 0.5) * 0.001)
    const { tables, commitIntervalMs } = scenario
    const limits = scenario.limitsOf(id)
    return new SimNode(world, network, { id, role, tables, commitIntervalMs, limits, clock, random, wrapStore })
  })
}

/** A hello of the version before: it told nothing of what its end takes. */
function asOldEndsSay(scenario: Scenario, topic: string, payload: Buffer): Buffer {
  const [, , gateway = '', , name] = topic.split('/')
  if (name !== 'hello' || !scenario.isOld(gateway)) return payload
  const { takes: _, ...hello } = decodeValue(payload) as Record<string, Json>
  return encodeMessage(hello)
}

/** Until nothing is being written and every stream says of itself that nothing is behind, twice in a row. */
async function drain(world: World, nodes: readonly SimNode[], load: Load, isOver: () => boolean): Promise<void> {
  const { timeline } = world
  const beganMs = timeline.nowMs
  let calm = 0
  const look = (): void => {
    calm = !load.isUnderWay && whatIsLeft(nodes) === undefined ? calm + 1 : 0
    timeline.after(500, look)
  }
  look()
  await timeline.pass(beganMs + drainMaxMs, () => calm >= 2 || isOver())
  if (isOver()) return
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
