/**
 * A real gateway in little memory, honest devices, and attackers: each attack in turn, then all of them together. Tells of
 * each phase how long honest readings took, what memory did and what the gateway counted; and at the end, whether every
 * acknowledged reading is there.
 */
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { usage } from '../bench/processes.ts'
import { eventually, freePort, type Program, pause, Site } from '../end-to-end/programs.ts'
import type { AttackCounts } from '../../firmware-sim/hostile/counts.ts'
import { attack, type AttackWish } from './attackers.ts'
import { holdTo } from './held.ts'
import { HonestDevice } from './honest.ts'

export type BesiegedOptions = {
  readonly phases: readonly { readonly name: string; readonly attacks: readonly string[] }[]
  readonly seed: number
  readonly memoryBytes: number
  readonly devices: number
  readonly everyMs: number
  readonly calmSeconds: number
  readonly attackSeconds: number
  /** How long memory may take to come back after an attack. */
  readonly settleSeconds: number
  readonly onPhase: (name: string) => void
}

export type Phase = {
  readonly name: string
  readonly latenciesMs: readonly number[]
  readonly memoryMb: { readonly before: number; readonly peak: number; readonly after: number }
  /** What the gateway counted of refusals meanwhile, by cause. */
  readonly refused: Readonly<Record<string, number>>
  readonly attackers: readonly AttackCounts[]
}

export type Besieged = {
  readonly hold: string
  readonly phases: readonly Phase[]
  readonly calmMb: number
  readonly acknowledged: number
  readonly missing: number
  readonly twice: number
  /** Readings that were never acknowledged, and those that a full device did not measure. */
  readonly unacknowledged: number
  readonly skipped: number
  readonly reconnects: number
  readonly problems: readonly string[]
}

/** Within this share of where it was, memory is back. */
export const backWithin = 1.2

export async function besiege(options: BesiegedOptions): Promise<Besieged> {
  const { devices: count, everyMs, memoryBytes } = options
  const hold = holdTo(memoryBytes)
  const site = new Site()
  const devices: HonestDevice[] = []
  const problems: string[] = []
  let latenciesMs: number[] = []
  try {
    const port = await freePort()
    const url = `mqtt://127.0.0.1:${port}`
    const gateway = site.program('gateway', { config: configOf(port) }, [...hold.on, 'env', ...environment()])
    await gateway.start()
    const alive = watch(gateway, hold.isHeld ? Number.POSITIVE_INFINITY : memoryBytes)
    const plan = join(site.folder, 'honest.yaml')
    writeFileSync(
      plan,
      `devices: [{ name: 'honest-{n}', count: ${count}, metrics: { t: { wave: constant, value: 1 } } }]\n`,
    )
    for (let index = 1; index <= count; index++) {
      const device = new HonestDevice({ url, name: `honest-${index}`, everyMs }, latencyMs =>
        latenciesMs.push(latencyMs),
      )
      devices.push(device)
    }
    const phases: Phase[] = []
    let calmMb = 0
    for (const { name, attacks } of [{ name: 'calm', attacks: [] }, ...options.phases]) {
      options.onPhase(name)
      latenciesMs = []
      const before = calmMb === 0 ? alive.memoryMb() : calmMb
      alive.forgetPeak()
      const counted = await counters(gateway)
      const attackers = attacks.length === 0 ? [] : await attackWith({ ...options, names: attacks, url, plan }, alive)
      if (attacks.length === 0) await pause(options.calmSeconds * 1_000)
      const late = devices.flatMap(device => device.waitedMs())
      const phase = { name, latenciesMs: [...latenciesMs, ...late], attackers }
      const after = await settled(alive, before, attacks.length === 0 ? 0 : options.settleSeconds)
      const problem = alive.problem()
      if (problem !== undefined) {
        problems.push(`${name}: ${problem}`)
        phases.push({ ...phase, memoryMb: { before, peak: alive.peakMb(), after: 0 }, refused: {} })
        break
      }
      if (attacks.length === 0) calmMb = after
      const refused = difference(await counters(gateway), counted)
      phases.push({ ...phase, memoryMb: { before, peak: alive.peakMb(), after }, refused })
    }
    alive.stop()
    const ends = problems.length === 0 ? await lastCount(gateway, devices, problems) : { missing: 0, twice: 0 }
    return {
      hold: hold.words,
      phases,
      calmMb,
      acknowledged: sum(devices.map(device => device.acknowledged.length)),
      ...ends,
      unacknowledged: sum(devices.map(device => device.waitedMs().length)),
      skipped: sum(devices.map(device => device.skipped)),
      reconnects: sum(devices.map(device => device.connections - 1)),
      problems,
    }
  } finally {
    for (const device of devices) device.close()
    await site.remove()
    hold.remove()
  }
}

/** What the gateway's own unit runs it with: how V8 and the C library hold memory is part of how it fits into so little. */
function environment(): string[] {
  const unit = readFileSync('systemd/holdfast.service', 'utf8')
  const given = [...unit.matchAll(/^Environment=(.*)$/gm)].flatMap(
    ([, line = '']) => line.match(/\w+=("[^"]*"|\S+)/g) ?? [],
  )
  const ofMemory = given.filter(each => /^(NODE_OPTIONS|MALLOC_\w+)=/.test(each)).map(each => each.replaceAll('"', ''))
  if (ofMemory.length < 3) throw new Error('systemd/holdfast.service says not how memory is held')
  return ofMemory
}

function configOf(port: number): string {
  return `gateway: { id: besieged }\nbroker: { listen: '127.0.0.1:${port}' }\n`
}

async function attackWith(
  wish: Omit<AttackWish, 'seconds'> & { readonly attackSeconds: number },
  alive: Alive,
): Promise<AttackCounts[]> {
  const attacking = attack({ ...wish, seconds: wish.attackSeconds })
  const ended = alive.ended.then((): AttackCounts[] => [])
  return Promise.race([attacking, ended])
}

/** Memory once it is back, or where it stays. */
async function settled(alive: Alive, beforeMb: number, seconds: number): Promise<number> {
  let leastMb = alive.memoryMb()
  for (let left = seconds * 2; left > 0 && leastMb > beforeMb * backWithin && alive.problem() === undefined; left--) {
    await pause(500)
    leastMb = Math.min(leastMb, alive.memoryMb())
  }
  return leastMb
}

type Alive = {
  readonly memoryMb: () => number
  readonly peakMb: () => number
  readonly forgetPeak: () => void
  /** Why it lives no more. */
  readonly problem: () => string | undefined
  readonly ended: Promise<void>
  readonly stop: () => void
}

const sampleMs = 200

function watch(gateway: Program, bytesMax: number): Alive {
  const { pid } = gateway
  let problem: string | undefined
  let [lastMb, peakMb] = [0, 0]
  let end: () => void = () => undefined
  const ended = new Promise<void>(resolve => (end = resolve))
  const look = (): void => {
    if (problem !== undefined) return
    const mb = memoryOf(pid)
    if (mb === undefined) problem = `the gateway died: ${gateway.end}`
    else if (mb * 2 ** 20 > bytesMax) problem = `the gateway took ${Math.round(mb)} MB`
    lastMb = mb ?? lastMb
    peakMb = Math.max(peakMb, lastMb)
    if (problem !== undefined) end()
  }
  look()
  const sampler = setInterval(look, sampleMs)
  return {
    memoryMb: () => {
      look()
      return lastMb
    },
    peakMb: () => peakMb,
    forgetPeak: () => (peakMb = 0),
    problem: () => problem,
    ended,
    stop: () => clearInterval(sampler),
  }
}

/** Undefined if it runs no more: a process that is gone, or has ended and is not collected yet, has no memory. */
function memoryOf(pid: number): number | undefined {
  try {
    return usage(pid).rssMb || undefined
  } catch {
    return undefined
  }
}

async function counters(gateway: Program): Promise<Readonly<Record<string, number>>> {
  try {
    return (await gateway.status()).broker?.counters ?? {}
  } catch {
    return {} // it is dead, or too busy to answer: what watches it says which
  }
}

function difference(now: Readonly<Record<string, number>>, before: Readonly<Record<string, number>>) {
  const all = Object.entries(now).map(([name, count]) => [name, count - (before[name] ?? 0)] as const)
  return Object.fromEntries(
    all.filter(([name, count]) => count > 0 && /refused|dropped|held_|not_durable|error/.test(name)),
  )
}

async function lastCount(
  gateway: Program,
  devices: readonly HonestDevice[],
  problems: string[],
): Promise<{ missing: number; twice: number }> {
  for (const device of devices) device.stopMeasuring()
  const idle = eventually(() => {
    if (!devices.every(device => device.isIdle)) throw new Error('Honest devices still wait for an acknowledgement')
  }, 20_000)
  await idle.catch((error: Error) => problems.push(error.message))
  const seen = new Map<string, number>()
  for (const { id } of await gateway.readings()) if (id !== null) seen.set(id, (seen.get(id) ?? 0) + 1)
  const acknowledged = devices.flatMap(device => device.acknowledged)
  await gateway.stop()
  return {
    missing: acknowledged.filter(id => !seen.has(id)).length,
    twice: acknowledged.filter(id => (seen.get(id) ?? 0) > 1).length,
  }
}

const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0)
