/**
 * Attackers, in a process of their own: the hostile fleet of firmware-sim as a person would start it. They yield to the
 * gateway for the processor: attackers come from other machines, and what theirs cost is none of the gateway's business.
 */
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import type { AttackCounts } from '../../firmware-sim/hostile/counts.ts'

const program = fileURLToPath(new URL('../../firmware-sim/main.js', import.meta.url))
const niceness = 10

export type AttackWish = {
  readonly url: string
  readonly names: readonly string[]
  readonly seed: number
  readonly seconds: number
  /** A plan whose devices are the honest ones: attackers know their names. */
  readonly plan: string
}

/** Not the address of the honest devices, and more than one: what a gateway holds against an address meets attackers alone. */
const addresses = ['127.0.1.1', '127.0.1.2', '127.0.1.3', '127.0.1.4']

/** Resolves when they have gone, with what they counted. */
export async function attack({ url, names, seed, seconds, plan }: AttackWish): Promise<AttackCounts[]> {
  const whose = ['--plan', plan, '--hostile-from', addresses.join(',')]
  const flags = [...whose, '--no-devices', '--json', '--hostile', names.join(','), '--duration', `${seconds}s`]
  const child = spawn(process.execPath, [program, '--url', url, '--seed', String(seed), ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  const kill = (): void => void child.kill('SIGKILL')
  process.once('exit', kill)
  if (child.pid !== undefined) setPriority(child.pid, niceness)
  let [out, err] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => (out += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (err += text))
  await once(child, 'close')
  process.off('exit', kill)
  try {
    return (JSON.parse(out) as { hostile: AttackCounts[] }).hostile
  } catch {
    throw new Error(`The attackers failed: ${err || out || 'without a word'}`)
  }
}
