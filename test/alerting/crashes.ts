/**
 * Alerting that is cut off after every single commit: whatever the moment, going on from what is on the disk must come to
 * the very rows of a run that nobody cut off.
 */
import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Arrival, type Change, seqZero, timeOf } from '../../runtime/store/types.ts'
import { diskPlace } from '../store/homes.ts'
import { arrival, collect, startMs } from '../store/suite.ts'
import { tables } from './rig.ts'

/** What happens, and when after the start; then everything that is due is judged. */
export type Step = { readonly afterMs: number; readonly reading?: Partial<Arrival>; readonly change?: Change }

type Outcome = { readonly alerts: readonly unknown[]; readonly derived: readonly unknown[] }

/** Runs the steps once whole, and once more from each commit on; gives what all of these came to, and how many there were. */
export async function crashedEverywhere(rules: readonly Rule[], steps: readonly Step[]) {
  const place = diskPlace()
  const work = mkdtempSync(join(tmpdir(), 'holdfast-crash-'))
  const folder = join(work, 'whole')
  const saved: { readonly copy: string; readonly step: number }[] = []
  let step = 0
  const snapshot = (): void => {
    const copy = join(work, String(saved.length))
    cpSync(folder, copy, { recursive: true, filter: path => !/\bLOCK$|\.lock$/.test(path) })
    saved.push({ copy, step })
  }
  try {
    const store = await place.open({ path: folder, tables })
    const whole = await play(told(store, snapshot), rules, steps, 0, index => (step = index))
    for (const { copy, step: at } of saved) {
      const again = await play(await place.open({ path: copy, tables }), rules, steps, at, () => undefined)
      assert.deepEqual(again, whole, `cut off at step ${at}`)
    }
    return { ...whole, cuts: saved.length }
  } finally {
    place.remove()
    rmSync(work, { recursive: true })
  }
}

async function play(
  store: Store,
  rules: readonly Rule[],
  steps: readonly Step[],
  from: number,
  begin: (step: number) => void,
): Promise<Outcome> {
  let nowMs = startMs + (steps[from]?.afterMs ?? 0)
  const alerting = new Alerting({ store, now: () => nowMs, log: silentLog, graceMs: 0 })
  await alerting.use(rules)
  for (const [index, { afterMs, reading, change }] of steps.entries()) {
    if (index < from) continue
    begin(index)
    nowMs = startMs + afterMs
    const before = steps.slice(0, index).filter(each => each.reading).length
    // A device whose reading was acknowledged does not send it again.
    if (reading && store.head('readings') <= before) {
      const readings = [arrival({ arrivalMs: nowMs, unit: undefined, ...reading })]
      await store.commit([{ kind: 'append', table: 'readings', readings }], 'now')
    }
    if (change) await store.commit([change], 'now')
    await alerting.settled()
  }
  const derived = await store.read('derived', seqZero, 100_000)
  const outcome = {
    alerts: (await collect(store.rows('alerts'))).map(({ key, value }) => ({ key, value })),
    derived: derived.map(entry =>
      entry.kind === 'reading' ? [entry.series.device, entry.series.metric, timeOf(entry), entry.value] : entry,
    ),
  }
  await alerting.close()
  await store.close()
  return outcome
}

/** A store that tells of each commit of which something is on the disk, before anybody else hears of it. */
function told(store: Store, done: () => void): Store {
  return new Proxy(store, {
    get(target, name) {
      if (name === 'commit') {
        return async (...given: Parameters<Store['commit']>) => {
          const receipt = await target.commit(...given)
          done()
          return receipt
        }
      }
      const value = Reflect.get(target, name) as unknown
      return typeof value === 'function' ? (value.bind(target) as unknown) : value
    },
  })
}
