/**
 * Alerts that a gateway raises on itself: `raise` says that something is wrong with a part of it, `resolve` that it is well
 * again. Rows of `alerts` like any other, so that they are announced, replicated, acknowledged and silenced like any other.
 *
 * Promises: one open row for a name, over restarts too; saying the same again writes nothing; another text is written into
 * the open row. A row and the memory of it are one commit [I3]. Nobody waits: what the store cannot take now is written
 * when it can, and of several words about one name the last counts.
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import { annotationCharactersMax } from '../../rules/limits.ts'
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import type { Change } from '../store/types.ts'
import { acknowledged, acksTable, readAck } from './acks.ts'
import { alertsTable, keyOf } from './names.ts'
import { isAboutStore, whenWritable } from './retry.ts'

export type SelfAlert = {
  readonly severity: 'info' | 'warning' | 'critical'
  /** What is wrong, in a sentence; the annotation `summary`. */
  readonly text: string
  /** Which part of the gateway it is about: `rules`, `alerts` … Stands where the metric of other alerts stands. */
  readonly part: string
  /** More for people, by name. */
  readonly details?: Readonly<Record<string, string>>
}

/** What other rooms are given: to say it again costs nothing. */
export type SelfAlertDoor = Pick<SelfAlerts, 'raise' | 'resolve'>

const prefix = 'holdfast.'
const group = 'holdfast'
/** The owner of what is remembered: which row is open, by name. */
export const selfOwner = 'self-alerts'
type Open = { readonly key: string }

export class SelfAlerts {
  readonly #store: Store
  readonly #now: () => number
  readonly #log: Log
  readonly #stop = new AbortController()
  /** What is to be written yet, the last word about each name; undefined resolves. */
  readonly #words = new Map<string, SelfAlert | undefined>()
  #turn: Promise<void> = Promise.resolve()
  readonly #following: Promise<void>

  constructor(options: { readonly store: Store; readonly now: () => number; readonly log: Log }) {
    this.#store = options.store
    this.#now = options.now
    this.#log = options.log
    this.#following = this.#store.tables.has(acksTable) ? this.#followAcks() : Promise.resolve()
  }

  raise(name: string, alert: SelfAlert): void {
    this.#say(name, alert)
  }

  resolve(name: string): void {
    this.#say(name, undefined)
  }

  /** Resolves when all that was said is on the disk, or never will be. */
  async settled(): Promise<void> {
    await this.#turn
  }

  /** What could not be written yet is said again by whoever finds it after the next start. */
  async close(): Promise<void> {
    this.#stop.abort()
    await this.#following
    await this.#turn
  }

  #say(name: string, word: SelfAlert | undefined): void {
    const isWaiting = this.#words.has(name)
    this.#words.set(name, word)
    if (!isWaiting) this.#next(() => this.#write(name))
  }

  /** One at a time: each writes a whole row that it has read. */
  #next(work: () => Promise<void>): void {
    this.#turn = this.#turn
      .then(() => whenWritable(this.#stop.signal, work))
      .catch((error: unknown) => {
        this.#log.error({ reason: messageOf(error) }, 'an alert on the gateway itself could not be written')
      })
  }

  async #write(name: string): Promise<void> {
    const word = this.#words.get(name)
    const changes = this.#changes(name, word)
    try {
      if (changes.length > 0) await this.#store.commit(changes, 'now')
    } catch (error) {
      if (!isAboutStore(error)) this.#words.delete(name)
      throw error
    }
    const last = this.#words.get(name)
    this.#words.delete(name)
    if (last !== word) this.#say(name, last)
  }

  /** Acknowledgements of open rows, also those given while nobody was here. */
  async #followAcks(): Promise<void> {
    const { signal } = this.#stop
    while (!signal.aborted) {
      const head = this.#store.head(acksTable)
      this.#next(() => this.#noteAcks())
      await this.#store.waitPast(acksTable, head, signal)
    }
  }

  async #noteAcks(): Promise<void> {
    for (const open of this.#store.states(selfOwner).values()) {
      const { key } = open as Open
      const row = this.#store.latest(alertsTable, key)?.value as AlertRow | undefined
      const ack = row && readAck(this.#store.latest(acksTable, key)?.value, this.#now())
      const noted = ack && acknowledged(row, ack)
      if (noted) await this.#store.commit([put(key, noted)], 'now')
    }
  }

  #changes(name: string, word: SelfAlert | undefined): Change[] {
    const open = this.#store.state(selfOwner, name) as Open | undefined
    const row = open && (this.#store.latest(alertsTable, open.key)?.value as AlertRow | undefined)
    if (!word) return open ? this.#end(name, open, row) : []
    if (!open || !row) return this.#begin(name, word)
    const said = { ...row, severity: word.severity, annotations: annotationsOf(word) }
    return JSON.stringify(said) === JSON.stringify(row) ? [] : [put(open.key, said)]
  }

  #begin(name: string, word: SelfAlert): Change[] {
    const series = { origin: this.#store.origin, device: this.#store.origin, metric: word.part }
    let firedMs = this.#now()
    const key = (): string => keyOf(this.#store.origin, prefix + name, series, firedMs)
    while (this.#store.latest(alertsTable, key())) firedMs++
    this.#log.warn({ alert: prefix + name }, word.text)
    const open: Open = { key: key() }
    return [put(open.key, rowOf(name, this.#store.origin, word, firedMs)), remember(name, open)]
  }

  #end(name: string, { key }: Open, row: AlertRow | undefined): Change[] {
    const ended = row && put(key, { ...row, state: 'resolved', resolved_ms: this.#now() })
    return [...(ended ? [ended] : []), remember(name, undefined)]
  }
}

const put = (key: string, row: AlertRow): Change => ({
  kind: 'put',
  table: alertsTable,
  key,
  value: row as unknown as Json,
})

const remember = (name: string, open: Open | undefined): Change => ({
  kind: 'state',
  owner: selfOwner,
  key: name,
  value: open,
})

function annotationsOf({ text, details }: SelfAlert): Record<string, string> {
  const all = Object.entries({ summary: text, ...details })
  return Object.fromEntries(all.map(([name, value]) => [name, value.slice(0, annotationCharactersMax)]))
}

function rowOf(name: string, gateway: string, word: SelfAlert, firedMs: number): AlertRow {
  return {
    rule: prefix + name,
    group,
    table: alertsTable,
    device: gateway,
    metric: word.part,
    device_labels: {},
    unit: null,
    origin: null,
    severity: word.severity,
    state: 'firing',
    late: false,
    flapping: false,
    silenced: null,
    acked_ms: null,
    acked_by: null,
    side: null,
    value: null,
    threshold: null,
    threshold_source: null,
    threshold_stamp: null,
    looked_up: [],
    since_ms: firedMs,
    fired_ms: firedMs,
    resolved_ms: null,
    resolved_value: null,
    resolved_reason: null,
    labels: {},
    annotations: annotationsOf(word),
    snippet: null,
  }
}
