/**
 * Rebuilds the states that a power cut could have left, one after the other, and has each of them checked.
 *
 * Promises: deterministic; the same recording, points, policies and seed give the same states. Says nothing about what
 * is right: that is the check's to judge.
 */
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { type DataRule, dataRules, type NameRule, nameRules, openDiskModel } from './disk-model.ts'
import { randomOf } from './random.ts'
import { describe, type Operation } from './recording.ts'

export type Policy = `${DataRule}-${NameRule}`
export const policies: readonly Policy[] = nameRules.flatMap(names =>
  dataRules.map(data => `${data}-${names}` as const),
)

export type CrashState = {
  /** The cut came after so many operations. */
  readonly point: number
  readonly policy: Policy
  /** The highest number noted as acknowledged before the cut (0: none), and the text of that note. */
  readonly acknowledged: number
  readonly note: string
  /** The rebuilt folder. It is the check's to write in; it is built anew for the next state. */
  readonly folder: string
  /** The operations before the cut, in words. */
  readonly before: string
}

export type ReplayOptions = {
  /** Points to cut at (1 to the number of operations), as `choosePoints` gives them. */
  readonly points: readonly number[]
  readonly policies?: readonly Policy[]
  readonly seed: number
}

/** Calls `check` with each state; returns how many there were. What the check throws goes through. */
export async function replay(
  operations: readonly Operation[],
  options: ReplayOptions,
  check: (state: CrashState) => Promise<void>,
): Promise<number> {
  const chosen = options.policies ?? policies
  const home = mkdtempSync(join(fastFolder(), 'holdfast-replay-'))
  const folder = join(home, 'state')
  const model = openDiskModel()
  let done = 0
  let acknowledged = 0
  let note = ''
  let states = 0
  try {
    for (const point of [...options.points].sort((a, b) => a - b)) {
      for (; done < point; done++) {
        const operation = operations[done] as Operation
        model.apply(operation)
        if (operation.kind === 'note' && operation.acknowledged >= acknowledged)
          ({ acknowledged, text: note } = operation)
      }
      for (const policy of chosen) {
        const [data, names] = policy.split('-') as [DataRule, NameRule]
        const random = randomOf(options.seed, point, policies.indexOf(policy))
        build(folder, model.stateAfterCut(data, names, random))
        const before = operations
          .slice(Math.max(0, point - 6), point)
          .map(describe)
          .join(', ')
        await check({ point, policy, acknowledged, note, folder, before })
        states++
      }
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
  return states
}

/**
 * So many points, or all if there are no more. Half of them lie around changes of names: making, renaming and removing
 * files is rare beside writing, and it is where the trouble is.
 */
export function choosePoints(operations: readonly Operation[], count: number, seed: number): readonly number[] {
  const all = operations.map((_, index) => index + 1)
  if (count >= all.length) return all
  const random = randomOf(seed, operations.length)
  const rare = all.filter(point => operations.slice(Math.max(0, point - 4), point + 2).some(changesNames))
  const points = new Set<number>()
  for (const [from, until] of [
    [rare, Math.min(count / 2, rare.length)],
    [all, count],
  ] as const) {
    const left = from.filter(point => !points.has(point))
    while (points.size < until && left.length > 0) points.add(left.splice(random.below(left.length), 1)[0] as number)
  }
  return [...points].sort((a, b) => a - b)
}

function changesNames(operation: Operation): boolean {
  return !['write', 'sync-begin', 'sync-file', 'sync-folder', 'note'].includes(operation.kind)
}

function build(folder: string, state: ReadonlyMap<string, Buffer>): void {
  rmSync(folder, { recursive: true, force: true })
  mkdirSync(folder)
  for (const [path, bytes] of state) {
    if (path.endsWith('/')) mkdirSync(join(folder, path), { recursive: true })
    else {
      mkdirSync(join(folder, dirname(path)), { recursive: true })
      writeFileSync(join(folder, path), bytes)
    }
  }
}

/** Thousands of states are written and thrown away: memory is the place for them, where there is one. */
export function fastFolder(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir()
}
