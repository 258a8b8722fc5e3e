/**
 * A program that writes the steps of `plan.ts` through the real store, and says which are acknowledged: as notes in the
 * recording, if there is one, and as messages to its parent.
 *
 * It must never call a step acknowledged before `commit` has resolved, nor skip one: a refused step is tried again until
 * it is taken. So after any fault the store must hold exactly the steps from 1 to the last.
 *
 *   node writer.js '{"path": "/somewhere/store", "steps": 200}'
 */
import { openSync } from 'node:fs'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import { systemCode } from '../../runtime/errors.ts'
import { asSeq } from '../../runtime/store/types.ts'
import { clearFault, type Fault, setFault } from './iorec.ts'
import { changesOf, CountingStamps, tables } from './plan.ts'
import { writeNote } from './recording.ts'

export type WriterOptions = {
  readonly path: string
  /** Stops after so many steps. */
  readonly steps: number
  /** The first step to write; those before it are in the store already. */
  readonly firstStep?: number
  readonly recording?: string
  readonly paddingBytes?: number
  readonly ballastBytes?: number
  /** Readings are packed every so many steps, and half of them are dropped at every second time. 0: never. */
  readonly packEvery?: number
  readonly pauseMs?: number
  /** How it ends: closes the store, or is killed as it stands. */
  readonly end?: 'close' | 'kill'
  /**
   * Before this step's commit, or before the log is trimmed at this step, the first fault is set; at each refusal the next
   * one. The last is cleared after `faultMs`.
   */
  readonly faults?: {
    readonly control: string
    readonly atStep: number
    readonly before: 'commit' | 'trim'
    readonly list: readonly Fault[]
    readonly faultMs: number
  }
}

/** What the parent hears: after each acknowledged step, and at each refusal. */
export type WriterMessage =
  | { readonly kind: 'open'; readonly state: string }
  | { readonly kind: 'acknowledged'; readonly step: number }
  | { readonly kind: 'refused'; readonly step: number; readonly code: string }
  | { readonly kind: 'end'; readonly failures: number; readonly repairs: number; readonly duplicates: number }

const packEveryMs = 600_000

async function run(options: WriterOptions): Promise<void> {
  const notes = options.recording === undefined ? undefined : openSync(options.recording, 'a')
  let leapMs = 0
  const store = await Store.open({
    path: options.path,
    tables,
    stamps: new CountingStamps(),
    origin: 'edge',
    commitIntervalMs: 1,
    ballastBytes: options.ballastBytes ?? 64 * 1024,
    logRoomBytes: 16 << 10,
    monotonicMs: () => performance.now() + leapMs,
    now: () => Date.now(),
    log: silentLog,
  })
  tell({ kind: 'open', state: store.status().state })
  if (notes !== undefined) writeNote(notes, (options.firstStep ?? 1) - 1, 'open')
  const faults = new Faults(options)

  for (let step = options.firstStep ?? 1; step <= options.steps; step++) {
    const packing = options.packEvery ? step % options.packEvery === 0 : false
    if (packing) leapMs += packEveryMs
    faults.reached('commit', step)
    await commitUntilTaken(store, step, options, faults)
    if (notes !== undefined) writeNote(notes, step)
    tell({ kind: 'acknowledged', step })
    if (packing && step % (2 * (options.packEvery ?? 1)) === 0) await trim(store, step, faults)
    if (options.pauseMs) await sleep(options.pauseMs)
  }
  await faults.over()
  const { failures, repairs, duplicates } = store.status()
  tell({ kind: 'end', failures, repairs, duplicates })
  if (options.end === 'kill') process.kill(process.pid, 'SIGKILL')
  await store.close()
  if (process.connected) process.disconnect()
}

async function commitUntilTaken(store: Store, step: number, options: WriterOptions, faults: Faults): Promise<void> {
  for (;;) {
    try {
      await store.commit(changesOf(step, options.paddingBytes ?? 0), step % 2 === 0 ? 'now' : 'interval')
      return
    } catch (error) {
      tell({ kind: 'refused', step, code: systemCode(error) ?? String(error) })
      faults.refused()
      await sleep(5)
    }
  }
}

/** Drops the older half of what is packed. A refused trim may be left for the next time. */
async function trim(store: Store, step: number, faults: Faults): Promise<void> {
  const through = store.cursor('pack/readings')
  if (through === undefined) throw new Error(`nothing is packed at step ${step}`)
  faults.reached('trim', step)
  try {
    await store.trim('readings', asSeq(Math.floor(through / 2)), 'old')
  } catch (error) {
    tell({ kind: 'refused', step, code: systemCode(error) ?? String(error) })
    faults.refused()
  }
}

/** The faults of one run, one after the other; the last one stands until its time is over. */
class Faults {
  readonly #options: WriterOptions['faults']
  #next = 0
  #over: Promise<void> = Promise.resolve()

  constructor(options: WriterOptions) {
    this.#options = options.faults
  }

  reached(before: 'commit' | 'trim', step: number): void {
    if (this.#options?.before === before && this.#options.atStep === step && this.#next === 0) this.#setNext()
  }

  refused(): void {
    if (this.#next > 0) this.#setNext()
  }

  /** Resolves when the last fault is cleared. */
  over(): Promise<void> {
    return this.#over
  }

  #setNext(): void {
    const options = this.#options
    const fault = options?.list[this.#next]
    if (!options || !fault) return
    setFault(options.control, fault)
    if (++this.#next === options.list.length)
      this.#over = sleep(options.faultMs).then(() => clearFault(options.control))
  }
}

function tell(message: WriterMessage): void {
  process.send?.(message)
}

function sleep(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}

const argument = process.argv[2]
if (argument !== undefined) await run(JSON.parse(argument) as WriterOptions)
