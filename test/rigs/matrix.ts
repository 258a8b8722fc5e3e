/**
 * The disk-fault matrix: one kind of failing write, sync, rename … at a time, once or for a while, under a writer that
 * goes on; then the fault goes away, the writer must come to its end by itself, is killed, and the store is inspected.
 */
import { once } from 'node:events'
import { mkdirSync, mkdtempSync, realpathSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { inspect } from './inspect.ts'
import { type Errno, type Fault, type FaultKind, startRecorded } from './iorec.ts'
import { readingsPerStep } from './plan.ts'
import type { WriterMessage, WriterOptions } from './writer.ts'

export type FaultCase = {
  readonly name: string
  readonly faults: readonly Fault[]
  /** The fault meets the trimming of the log, not a commit. */
  readonly atTrim?: true
  /**
   * So much is written that LevelDB begins new log files. Not so in the other cases: the log in which the write failed must
   * still be the one that is read at the end, or a torn log would go unnoticed.
   */
  readonly rotates?: true
}

export type CaseResult = {
  readonly name: string
  readonly acknowledged: number
  readonly missing: number
  /** Commits that were refused while the fault stood: 0 means that the fault met nothing. */
  readonly refused: number
  readonly opened: boolean
  /** The writer came to its last step without help. */
  readonly resumed: boolean
  readonly problems: readonly string[]
}

const steps = 160
const faultAtStep = 60
/** The log is trimmed at every second packing. */
const packEvery = 25
const trimAtStep = 100
const paddingToRotate = 14_000
const faultMs = 400
/** A fault that comes once may stand for longer: until it is met, on a busy machine too. */
const onceMs = 2_000
/** Long enough for the steps between the fault and the next log file, on a busy machine too. */
const rotatingFaultMs = 4_000
/** Far more than a reopening takes: a store that needs longer is stuck. */
const patienceMs = 45_000

const one = (kind: FaultKind, errno: Errno, count: number): Fault => ({ kinds: [kind], errno, count })

const isOnce = ({ faults }: FaultCase): boolean => faults.length === 1 && faults[0]?.count === 1

/** While LevelDB writes; and while it is opened again after a first failure. */
export const faultCases: readonly FaultCase[] = [
  ...(['W', 'P', 'F', 'S'] as const).flatMap(kind =>
    (['EIO', 'ENOSPC'] as const).flatMap(errno => [
      { name: `${kind}:${errno} once`, faults: [one(kind, errno, 1)] },
      { name: `${kind}:${errno} for a while`, faults: [one(kind, errno, 0)] },
    ]),
  ),
  ...(['C', 'D'] as const).flatMap(kind => [
    { name: `${kind}:EIO once, at the next log file`, faults: [one(kind, 'EIO', 1)], rotates: true as const },
    {
      name: `${kind}:ENOSPC for a while, from the next log file on`,
      faults: [one(kind, 'ENOSPC', 0)],
      rotates: true as const,
    },
  ]),
  ...(['C', 'D', 'M', 'R', 'S', 'T', 'U', 'W'] as const).flatMap(kind => [
    { name: `P:EIO, then ${kind}:EIO once at the reopening`, faults: [one('P', 'EIO', 1), one(kind, 'EIO', 1)] },
    { name: `P:EIO, then ${kind}:ENOSPC for a while`, faults: [one('P', 'EIO', 1), one(kind, 'ENOSPC', 0)] },
  ]),
  ...(['W', 'P', 'F', 'S'] as const).map(kind => ({
    name: `${kind}:EIO once, while the log is trimmed`,
    faults: [one(kind, 'EIO', 1)],
    atTrim: true as const,
  })),
  ...(['W', 'P', 'F'] as const).map(kind => ({
    name: `${kind}:ENOSPC for a while, from the trimming of the log on`,
    faults: [one(kind, 'ENOSPC', 0)],
    atTrim: true as const,
  })),
  { name: 'C:EMFILE for a while', faults: [one('P', 'EIO', 1), one('C', 'EMFILE', 0)] },
  {
    name: 'everything: EROFS for a while',
    faults: [{ kinds: ['C', 'D', 'F', 'M', 'R', 'S', 'T', 'U', 'W'], errno: 'EROFS', count: 0 }],
  },
]

export async function runFaultCase(faultCase: FaultCase): Promise<CaseResult> {
  const home = realpathSync(mkdtempSync(join(tmpdir(), 'holdfast-fault-')))
  try {
    const root = join(home, 'root')
    const control = join(home, 'control')
    mkdirSync(root)
    const path = join(root, 'store')
    const paddingBytes = faultCase.rotates ? paddingToRotate : 0
    const writer: WriterOptions = {
      path,
      steps,
      paddingBytes,
      // Nothing but commits touches names then: the next one made is that of a log file.
      packEvery: faultCase.rotates ? 0 : packEvery,
      end: 'kill',
      faults: {
        control,
        atStep: faultCase.atTrim ? trimAtStep : faultAtStep,
        before: faultCase.atTrim ? 'trim' : 'commit',
        list: faultCase.faults,
        faultMs: faultCase.rotates ? rotatingFaultMs : isOnce(faultCase) ? onceMs : faultMs,
      },
    }
    const run = await runWriter(writer, root, control)
    const verdict = await inspect({ path, acknowledged: run.acknowledged, paddingBytes })
    const problems = [...verdict.problems]
    if (!run.resumed) problems.push(`the writer stopped at step ${run.acknowledged} of ${steps}: ${run.said}`)
    return {
      name: faultCase.name,
      acknowledged: run.acknowledged * readingsPerStep,
      missing: verdict.missing,
      refused: run.refused,
      opened: verdict.opened,
      resumed: run.resumed,
      problems,
    }
  } finally {
    rmSync(home, { recursive: true, force: true })
  }
}

type Run = { acknowledged: number; refused: number; resumed: boolean; said: string }

async function runWriter(writer: WriterOptions, root: string, control: string): Promise<Run> {
  const run: Run = { acknowledged: 0, refused: 0, resumed: false, said: '' }
  const child = startRecorded(new URL('./writer.js', import.meta.url), [JSON.stringify(writer)], { root, control })
  child.stderr?.on('data', chunk => (run.said += String(chunk)))
  child.on('message', (message: WriterMessage) => {
    if (message.kind === 'acknowledged') run.acknowledged = message.step
    if (message.kind === 'refused') {
      run.refused++
      run.said = `${message.code} at step ${message.step}`
    }
    if (message.kind === 'end') run.resumed = true
  })
  const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs)
  await once(child, 'close')
  clearTimeout(timer)
  return run
}
