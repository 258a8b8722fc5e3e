/**
 * The power-cut rig: the writer runs once under the recorder, then every chosen state that a cut could have left is
 * rebuilt and inspected.
 */
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { once } from 'node:events'
import { inspect } from './inspect.ts'
import { startRecorded } from './iorec.ts'
import { type Operation, readRecording } from './recording.ts'
import { choosePoints, policies, type Policy, replay } from './replay.ts'
import type { WriterOptions } from './writer.ts'

export type PowerCutOptions = {
  readonly steps: number
  readonly paddingBytes: number
  readonly packEvery: number
  /** How many points to cut at; each gives one state per policy. */
  readonly points: number
  readonly policies?: readonly Policy[]
  readonly seed: number
  readonly progress?: (done: number, all: number) => void
}

export type PowerCutResult = {
  readonly operations: number
  readonly states: number
  readonly acknowledged: number
  readonly missing: number
  readonly unopenable: number
  readonly repaired: number
  /** One sentence for each state in which something is wrong. */
  readonly problems: readonly string[]
}

export async function cutPower(options: PowerCutOptions): Promise<PowerCutResult> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-powercut-')))
  try {
    return await checkStates(await recordWriter(home, options), options)
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

async function recordWriter(home: string, options: PowerCutOptions): Promise<readonly Operation[]> {
  const root = join(home, 'root')
  const recording = join(home, 'recording')
  mkdirSync(root)
  const { steps, paddingBytes, packEvery } = options
  // Two runs: a cut may also come while a store that is full of rows is closed, or opened again.
  const half = Math.ceil(steps / 2)
  for (const part of [{ steps: half }, { firstStep: half + 1, steps }]) {
    const writer: WriterOptions = { path: join(root, 'store'), recording, paddingBytes, packEvery, ...part }
    const child = startRecorded(new URL('./writer.js', import.meta.url), [JSON.stringify(writer)], { root, recording })
    let said = ''
    child.stderr?.on('data', chunk => (said += String(chunk)))
    const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
    if (code !== 0) throw new Error(`the writer ended with ${code ?? signal}: ${said}`)
  }
  return readRecording(recording)
}

async function checkStates(operations: readonly Operation[], options: PowerCutOptions): Promise<PowerCutResult> {
  const { points, seed, steps, paddingBytes } = options
  const chosen = choosePoints(operations, points, seed)
  const all = chosen.length * (options.policies ?? policies).length
  let done = 0
  let missing = 0
  let unopenable = 0
  let repaired = 0
  const problems: string[] = []
  const states = await replay(
    operations,
    { points: chosen, seed, ...(options.policies && { policies: options.policies }) },
    async state => {
      const verdict = await inspect({
        path: join(state.folder, 'store'),
        acknowledged: state.acknowledged,
        paddingBytes,
      })
      missing += verdict.missing
      if (!verdict.opened) unopenable++
      if (verdict.repaired) repaired++
      if (verdict.problems.length > 0) {
        problems.push(`${state.policy}, cut at ${state.point} after ${state.before}: ${verdict.problems.join('; ')}`)
      }
      options.progress?.(++done, all)
    },
  )
  return { operations: operations.length, states, acknowledged: steps, missing, unopenable, repaired, problems }
}
