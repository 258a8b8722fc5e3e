/** A real store with a notifier on it, a clock that the test holds, and a broker that writes down what it is told. */
import type { AlertRow } from '../../rules/alert/alert.ts'
import type { Action, AlertRule } from '../../rules/rule.ts'
import { Notifier, type NotifierOptions } from '../../runtime/alerting/notify/notifier.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import { type Place, memoryPlace, specs } from '../store/homes.ts'
import { startMs } from '../store/suite.ts'

export const minuteMs = 60_000

type Told = { readonly topic: string; readonly payload: string; readonly qos: number; readonly retain: boolean }

export class Notifying {
  readonly place: Place = memoryPlace()
  readonly told: Told[] = []
  nowMs = startMs
  rules: AlertRule[] = []
  options: Partial<NotifierOptions> = {}
  troubles: (string | undefined)[] = []
  /** What the broker does with a message before it takes it; a test may have it fail or hang. */
  beforeTaking: (topic: string) => void | Promise<void> = () => undefined
  store!: Store
  notifier!: Notifier

  async openStore(): Promise<void> {
    const tables = [...specs, { name: 'silences', kind: 'records' }, { name: 'log', kind: 'records' }] as const
    this.store = await this.place.open({ tables })
  }

  open(): void {
    this.notifier = Notifier.open({
      store: this.store,
      publish: async (topic, payload, { qos, retain }) => {
        await this.beforeTaking(topic)
        this.told.push({ topic, payload, qos, retain })
      },
      rules: () => this.rules,
      alerts: { renotifyMs: undefined, groupBy: [], groupWaitMs: 10_000 },
      now: () => this.nowMs,
      isTimeTrusted: () => true,
      log: silentLog,
      troubled: text => void this.troubles.push(text),
      ...this.options,
    })
  }

  async close(): Promise<void> {
    await this.notifier.close()
    await this.store.close()
    this.place.remove()
  }

  async restart(): Promise<void> {
    await this.notifier.close()
    await this.store.close()
    await this.openStore()
    this.open()
  }

  /** Ends as a crash does: what is on the disk is what was there at the moment of `saved`. */
  async crash(saved: {
    readonly cursor: number | undefined
    readonly states: ReadonlyMap<string, Json>
  }): Promise<void> {
    await this.notifier.close()
    const states = new Set([...this.store.states('notifier').keys(), ...saved.states.keys()])
    await this.store.commit([
      { kind: 'cursor', name: 'announcer/alerts', seq: saved.cursor as never },
      ...[...states].map(key => ({ kind: 'state', owner: 'notifier', key, value: saved.states.get(key) }) as const),
    ])
    this.open()
  }

  saved(): { readonly cursor: number | undefined; readonly states: ReadonlyMap<string, Json> } {
    return { cursor: this.store.cursor('announcer/alerts'), states: new Map(this.store.states('notifier')) }
  }

  /** Writes an alert's row, as the watcher does. */
  async alert(fields: Partial<AlertRow> = {}): Promise<string> {
    const row = alertOf({ since_ms: this.nowMs, fired_ms: this.nowMs, ...fields })
    const key = `gw-1/${row.rule}/${row.device}/${row.metric}/${row.fired_ms}`
    await this.store.commit([{ kind: 'put', table: 'alerts', key, value: row as unknown as Json }], 'now')
    return key
  }

  /** Writes the row of an alert again, with something changed. */
  async change(key: string, fields: Partial<AlertRow>): Promise<void> {
    const row = this.store.latest('alerts', key)?.value as object
    await this.store.commit([{ kind: 'put', table: 'alerts', key, value: { ...row, ...fields } as Json }], 'now')
  }

  async resolve(key: string): Promise<void> {
    await this.change(key, { state: 'resolved', resolved_ms: this.nowMs })
  }

  async silence(id: string, match: Json, forMs: number): Promise<void> {
    const value = { match, from_ms: this.nowMs, until_ms: this.nowMs + forMs, by: 'test', comment: '' }
    await this.store.commit([{ kind: 'put', table: 'silences', key: id, value }], 'now')
  }

  /** What happened before is dealt with before the clock moves on. */
  async passes(ms: number): Promise<void> {
    await this.notifier.settled()
    this.nowMs += ms
    await this.notifier.settled()
  }

  /** What the broker was told since it was asked last: alerts as `event device notification`, others as topic and payload. */
  async heard(): Promise<string[]> {
    await this.notifier.settled()
    return this.told.splice(0).map(({ topic, payload }) => {
      if (!topic.startsWith('holdfast/alerts/')) return `${topic} ${payload}`
      const { event, device, notification } = JSON.parse(payload) as Record<string, string>
      return `${event} ${device} ${notification}`
    })
  }
}

export function alertOf(fields: Partial<AlertRow> = {}): AlertRow {
  return {
    rule: 'Warm',
    group: 'g',
    table: 'readings',
    device: 'freezer-1',
    metric: 'temperature',
    device_labels: { site: 'lyon' },
    unit: '°C',
    origin: null,
    severity: 'critical',
    state: 'firing',
    late: false,
    flapping: false,
    silenced: null,
    acked_ms: null,
    acked_by: null,
    side: 'above',
    value: 9.5,
    threshold: 8,
    threshold_source: 'literal',
    threshold_stamp: null,
    looked_up: [],
    since_ms: startMs,
    fired_ms: startMs,
    resolved_ms: null,
    resolved_value: null,
    resolved_reason: null,
    labels: { team: 'cold' },
    annotations: {},
    snippet: { from_ms: 0, to_ms: 1, count: 0, series: [] },
    ...fields,
  }
}

export function ruleOf(fields: Partial<AlertRule> = {}): AlertRule {
  return {
    kind: 'alert',
    id: 'Warm',
    group: 'g',
    file: 'test.yaml',
    match: { table: 'readings', device: '*', metric: '*', labels: {} },
    per: 'series',
    moments: undefined,
    lateAfterMs: minuteMs,
    labels: { team: 'cold' },
    fingerprint: 'f',
    condition: {
      kind: 'limits',
      of: undefined,
      above: { kind: 'literal', value: 8 },
      below: undefined,
      clear: undefined,
    },
    forMs: 0,
    keepFiringForMs: 0,
    latch: false,
    flapping: undefined,
    renotifyMs: undefined,
    severity: 'critical',
    annotations: {},
    snippet: {
      beforeMs: minuteMs,
      afterMs: 0,
      tables: ['readings'],
      device: '{device}',
      metric: '*',
      bytesMax: 1024,
      pointsMax: undefined,
    },
    actions: [],
    ...fields,
  }
}

type Publishing = Extract<Action['does'], { kind: 'publish' }>

export function publishes(topic: string, payload: Json, fields: Partial<Action & Publishing> = {}): Action {
  const { on = ['firing'], repeatMs, qos = 1, retain = false } = fields
  return { on, repeatMs, does: { kind: 'publish', topic, payload, qos, retain } }
}
