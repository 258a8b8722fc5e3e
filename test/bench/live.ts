/**
 * What rules cost a gateway that runs: the real store on disk and the real alerting, given so many readings a second for
 * some seconds, and the CPU time of the whole process. Committing the readings is part of it, so the same is measured
 * without rules, to say what the rules add.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { silentLog } from '../../runtime/log.ts'
import { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { specs, testStamps } from '../store/homes.ts'

/** Readings are committed together for so long, as a gateway does by default. */
const commitMs = 100

export type Pace = { readonly perSecond: number; readonly seconds: number }

export type Live = {
  /** Share of one core, in percent. */
  readonly cpuPercent: number
  readonly alerts: number
}

/** `readingAt` gives the device, metric and value of the nth reading. Series are seen once before the measuring begins. */
export async function live(
  rules: readonly Rule[],
  series: number,
  readingAt: (n: number) => Pick<Arrival, 'device' | 'metric' | 'value'>,
  { perSecond, seconds }: Pace,
): Promise<Live> {
  const path = mkdtempSync(join(tmpdir(), 'holdfast-bench-rules-'))
  const store = await Store.open({
    path,
    tables: specs,
    stamps: testStamps(Date.now),
    origin: 'gw-1',
    commitIntervalMs: commitMs,
    ballastBytes: 1 << 20,
    monotonicMs: () => performance.now(),
    now: Date.now,
    log: silentLog,
  })
  const alerting = new Alerting({ store, now: Date.now, log: silentLog, graceMs: 1_000 })
  try {
    await alerting.use(rules)
    let n = 0
    const commit = async (count: number): Promise<void> => {
      const arrivalMs = Date.now()
      const readings = Array.from({ length: count }, (): Arrival => {
        return { ...readingAt(n++), unit: '°C', id: undefined, deviceTimeMs: undefined, joined: false, arrivalMs }
      })
      await store.commit([{ kind: 'append', table: 'readings', readings }])
    }
    await commit(series)
    await alerting.settled()
    const before = process.cpuUsage()
    await paced(perSecond, seconds, commit)
    await alerting.settled()
    const { user, system } = process.cpuUsage(before)
    return { cpuPercent: ((user + system) / 1e6 / seconds) * 100, alerts: alerting.status().raised }
  } finally {
    await alerting.close()
    await store.close()
    rmSync(path, { recursive: true })
  }
}

/** Commits what has become due, until all of it is there. A commit ends when it is durable. */
async function paced(perSecond: number, seconds: number, commit: (count: number) => Promise<void>): Promise<void> {
  const beganMs = performance.now()
  for (let done = 0; done < perSecond * seconds; ) {
    const passed = Math.min((performance.now() - beganMs) / 1_000, seconds)
    const due = Math.floor(passed * perSecond) - done
    if (due > 0) await commit(due)
    else await pause(commitMs / 4)
    done += due
  }
}

const pause = (ms: number): Promise<void> => new Promise(resolve => setTimeout(resolve, ms))
