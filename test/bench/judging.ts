/** The part of alerting that thinks, as the bench drives it: readings in, how many verdicts came out. No store, no timer. */
import { Judge } from '../../rules/judge/judge.ts'
import type { Lookup } from '../../rules/judge/threshold.ts'
import type { Rule } from '../../rules/rule.ts'
import type { ReadingEntry } from '../../runtime/store/types.ts'

export type Judging = {
  judge(entries: readonly ReadingEntry[]): number
}

/** A watcher saves states every two seconds: here after so many readings. */
const readingsPerSave = 10_000

/** From its beginning: no state was saved, and no history is stored. */
export function judging(rules: readonly Rule[], lookup: Lookup): Judging {
  const judge = new Judge(rules, {
    origin: 'gw-1',
    lookup,
    rowsVersion: () => 0,
    saved: () => undefined,
    labelsOf: () => ({}),
    mayFire: () => true,
  })
  let unsaved = 0
  let isResumed = false
  return {
    judge(entries) {
      let verdicts = 0
      for (const entry of entries) {
        if (!isResumed) judge.resume(entry.arrivalMs, [], [])
        isResumed = true
        for (const need of judge.cold(entry)) judge.fill(need, [])
        verdicts += judge.judge(entry).length
        judge.takeRecorded()
        if (++unsaved < readingsPerSave) continue
        judge.takeUnsaved()
        unsaved = 0
      }
      return verdicts
    },
  }
}
