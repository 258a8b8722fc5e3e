/**
 * Opens a store that the writer left behind, and judges it: is every acknowledged step in it, whole and once?
 *
 * It must judge by what the store tells its users (query, read, rows, cursor, state), not by looking into its files.
 */
import { isDeepStrictEqual } from 'node:util'
import { messageOf } from '../../runtime/errors.ts'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import { asSeq, seqZero } from '../../runtime/store/types.ts'
import { changesOf, CountingStamps, numberOf, readingsPerStep, settingsAfter, tables } from './plan.ts'

export type Verdict = {
  readonly opened: boolean
  /** The store had to repair its database, and did. */
  readonly repaired: boolean
  /** Acknowledged readings that are not there. */
  readonly missing: number
  /** The last step found. */
  readonly lastStep: number
  /** What is wrong, in sentences; empty if nothing is. */
  readonly problems: readonly string[]
}

export type InspectOptions = {
  readonly path: string
  /** Steps 1 to this one must be there; the next one may be, as a whole. */
  readonly acknowledged: number
  readonly paddingBytes?: number
  readonly ballastBytes?: number
}

export async function inspect(options: InspectOptions): Promise<Verdict> {
  let store: Store
  try {
    store = await Store.open({
      path: options.path,
      tables,
      stamps: new CountingStamps(),
      origin: 'edge',
      commitIntervalMs: 0,
      ballastBytes: options.ballastBytes ?? 64 * 1024,
      logRoomBytes: 4 << 10,
      monotonicMs: () => performance.now(),
      now: () => Date.now(),
      log: silentLog,
    })
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? ` (${messageOf(error.cause)})` : ''
    const problems = [`it cannot be opened: ${messageOf(error)}${cause}`]
    return { opened: false, repaired: false, missing: options.acknowledged * readingsPerStep, lastStep: 0, problems }
  }
  try {
    return await judge(store, options)
  } finally {
    await store.close()
  }
}

async function judge(store: Store, options: InspectOptions): Promise<Verdict> {
  const problems: string[] = []
  const { acknowledged, paddingBytes = 0 } = options
  const lastStep = Number(store.state('rules', 'last') ?? 0)
  const expect = (what: string, found: unknown, wanted: unknown): void => {
    if (!isDeepStrictEqual(found, wanted))
      problems.push(`${what} is ${JSON.stringify(found)}, not ${JSON.stringify(wanted)}`)
  }
  if (lastStep < acknowledged || lastStep > acknowledged + 1) {
    problems.push(`the state says ${lastStep} steps, acknowledged are ${acknowledged}`)
  }
  const count = lastStep * readingsPerStep
  expect('the head of readings', Number(store.head('readings')), count)
  expect('the cursor', Number(store.cursor('uplink') ?? 0), count)
  const rows: Record<string, unknown> = {}
  for await (const row of store.rows('settings')) rows[row.key] = row.value
  expect('settings', rows, Object.fromEntries(settingsAfter(lastStep)))

  const missing = await judgeReadings(store, acknowledged * readingsPerStep, count, paddingBytes, problems)
  await judgeLog(store, count, problems)
  await judgeNextCommit(store, lastStep, paddingBytes, problems)
  return { opened: true, repaired: store.status().repairs > 0, missing, lastStep, problems }
}

/** Each reading that was not trimmed once, with its own value. Returns how many acknowledged ones are missing. */
async function judgeReadings(
  store: Store,
  acknowledged: number,
  count: number,
  paddingBytes: number,
  problems: string[],
): Promise<number> {
  const seen = new Set<number>()
  for await (const { value } of store.query('readings', {})) {
    const number = numberOf(value, paddingBytes)
    if (number === undefined)
      problems.push(`a reading has a value that was never written: ${JSON.stringify(value).slice(0, 40)}`)
    else if (seen.has(number)) problems.push(`reading ${number} is there twice`)
    else seen.add(number)
  }
  const first = store.firstSeq('readings')
  let missing = 0
  for (let number: number = first; number <= acknowledged; number++) if (!seen.has(number)) missing++
  if (missing > 0) problems.push(`${missing} of ${acknowledged} acknowledged readings are missing`)
  else if (seen.size !== count - first + 1)
    problems.push(`a query finds ${seen.size} readings, not ${first} to ${count}`)
  if (store.rowCount('readings') !== seen.size) problems.push(`it counts ${store.rowCount('readings')} readings`)
  return missing
}

/** A follower that begins at 0 meets the gap of what was trimmed, then every entry in order. */
async function judgeLog(store: Store, count: number, problems: string[]): Promise<void> {
  let position = 0
  while (position < count) {
    const entries = await store.read('readings', position === 0 ? seqZero : asSeq(position), 5000)
    if (entries.length === 0) return void problems.push(`the log ends at ${position}, not at ${count}`)
    for (const entry of entries) {
      if (entry.kind === 'gap' && entry.reason === 'old') position = entry.seq
      else if (entry.seq === position + 1 && entry.kind === 'reading') position++
      else return void problems.push(`after position ${position} the log has a ${entry.kind} at ${entry.seq}`)
    }
  }
}

/** The store goes on: the last step sent again stores nothing twice, and the next one is taken. */
async function judgeNextCommit(
  store: Store,
  lastStep: number,
  paddingBytes: number,
  problems: string[],
): Promise<void> {
  try {
    for (const [step, stored] of [
      [lastStep, 0],
      [lastStep + 1, readingsPerStep],
    ] as const) {
      if (step === 0) continue
      const receipt = await store.commit(changesOf(step, paddingBytes), 'now')
      if (receipt.stored !== stored)
        problems.push(`step ${step} sent now stored ${receipt.stored} readings, not ${stored}`)
    }
  } catch (error) {
    problems.push(`it takes no commit: ${messageOf(error)}`)
  }
}
