/**
 * A gateway without its listeners and links, on pretend time: the real store in a temporary folder (it only does not wait
 * for the disk), the real alerting and the real notifier, opened and closed as the gateway does it. Rules cannot tell the
 * difference, and that is the point: what a test shows here is what a board will do.
 *
 * What it must never do: judge anything itself, or touch a folder that is not its own.
 */
import { cpSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../alerting/alerting.ts'
import { owner } from '../alerting/names.ts'
import { Notifier } from '../alerting/notify/notifier.ts'
import { hybridClock } from '../clock/hybrid.ts'
import { monotonicMs } from '../clock/wall.ts'
import { silentLog } from '../log.ts'
import type { Json } from '../reading.ts'
import { fleetingHome } from '../store/fleeting.ts'
import { Store } from '../store/store.ts'
import type { TableSpec } from '../store/types.ts'

/** The name that the gateway has in tests: it stands in the keys of alerts. */
export const stageOrigin = 'gateway'

type Running = { readonly store: Store; readonly alerting: Alerting; readonly notifier: Notifier }

/** What was sent to the local broker, and what the gateway's clock showed then. */
export type Published = { readonly wallMs: number; readonly topic: string; readonly payload: string }

export class Stage {
  #folder = newFolder()
  readonly #rules: readonly Rule[]
  readonly #tables: readonly TableSpec[]
  #wallMs: number
  #open: Running | undefined
  readonly #published: Published[] = []

  /** `wallMs` is what the gateway's clock shows at first. */
  constructor(rules: readonly Rule[], tables: readonly TableSpec[], wallMs: number) {
    this.#rules = rules
    this.#tables = tables
    this.#wallMs = wallMs
  }

  get store(): Store {
    return this.#running.store
  }

  get alerting(): Alerting {
    return this.#running.alerting
  }

  get #running(): Running {
    if (!this.#open) throw new Error('the gateway of this test is off')
    return this.#open
  }

  /** What its clock shows. */
  get wallMs(): number {
    return this.#wallMs
  }

  /** Its clock goes on; nothing is judged until `settled`. */
  setWall(ms: number): void {
    this.#wallMs = ms
  }

  async on(): Promise<void> {
    const now = (): number => this.#wallMs
    const store = await Store.open({
      path: this.#folder,
      tables: this.#tables,
      stamps: hybridClock(now),
      origin: stageOrigin,
      commitIntervalMs: 0,
      ballastBytes: 0,
      monotonicMs,
      now,
      log: silentLog,
      home: fleetingHome(this.#folder),
    })
    // No reading is ever on its way here: what was sent before a deadline is in the store by then.
    const alerting = new Alerting({ store, now, log: silentLog, graceMs: 0 })
    const notifier = Notifier.open({
      store,
      publish: (topic, payload) => {
        this.#published.push({ wallMs: this.#wallMs, topic, payload })
        return Promise.resolve()
      },
      rules: () => this.#rules,
      alerts: { renotifyMs: undefined, groupBy: [], groupWaitMs: 0 },
      now,
      isTimeTrusted: () => true,
      log: silentLog,
    })
    this.#open = { store, alerting, notifier }
    await alerting.use(this.#rules)
  }

  get published(): readonly Published[] {
    return this.#published
  }

  /**
   * Everything that is stored and due by now is judged, told and done, and what came of it is on the disk. What an action
   * has written may be judged in turn; that of one more round is what comes next.
   */
  async settled(): Promise<void> {
    const { alerting, notifier } = this.#running
    await alerting.settled()
    await notifier.settled()
    await alerting.settled()
  }

  /** When something comes to pass without anything new: what its clock will show. Infinity for never. */
  get dueMs(): number {
    const { alerting, notifier } = this.#running
    return Math.min(alerting.dueMs, notifier.dueMs)
  }

  /** The states of the rules by their keys, as a restart would find them. */
  async savedStates(): Promise<ReadonlyMap<string, Json>> {
    const { alerting, store } = this.#running
    let states: ReadonlyMap<string, Json> = new Map()
    // Whoever pauses saves first.
    await alerting.pausedWhile(() => {
      states = new Map(store.states(owner))
      return Promise.resolve()
    })
    return states
  }

  async off(): Promise<void> {
    const running = this.#open
    this.#open = undefined
    await running?.notifier.close()
    await running?.alerting.close()
    await running?.store.close()
  }

  /** As a power cut leaves it: goes on from what is on the disk now, and nothing is written while it goes. */
  async crash(): Promise<void> {
    const [left, cut] = [this.#folder, newFolder()]
    // Of a database that is being written to, too, what has been synced is whole in its files.
    cpSync(join(left, 'db'), join(cut, 'db'), { recursive: true })
    await this.off()
    rmSync(left, { recursive: true, force: true })
    this.#folder = cut
  }

  async end(): Promise<void> {
    try {
      await this.off()
    } finally {
      rmSync(this.#folder, { recursive: true, force: true })
    }
  }
}

function newFolder(): string {
  return mkdtempSync(join(tmpdir(), 'holdfast-rules-'))
}
