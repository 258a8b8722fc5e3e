/** Alerting on a real store, with the time in the hand of the test; nothing here waits for anything but `settled`. */
import assert from 'node:assert/strict'
import type { AlertRow } from '../../rules/alert/alert.ts'
import { parseRules } from '../../rules/language/file.ts'
import type { Rule } from '../../rules/rule.ts'
import { Alerting } from '../../runtime/alerting/alerting.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Arrival, TableSpec } from '../../runtime/store/types.ts'
import { type Place, memoryPlace, specs } from '../store/homes.ts'
import { arrival, collect, startMs } from '../store/suite.ts'

/** The rules of one group, written as they stand in a file below `rules:`. */
export function rules(text: string): readonly Rule[] {
  const parsed = parseRules([{ file: 'test.yaml', text: `groups:\n  - name: g\n    rules:\n${text}` }])
  assert.ok(parsed.ok, parsed.ok ? '' : JSON.stringify(parsed.problems))
  return parsed.rules
}

/** The tables of a gateway that rules look at, and one for what they record. */
export const tables: readonly TableSpec[] = [
  ...specs,
  { name: 'acks', kind: 'records' },
  { name: 'device_labels', kind: 'records' },
  { name: 'silences', kind: 'records' },
  { name: 'clock', kind: 'records' },
  { name: 'derived', kind: 'series' },
]

export class Rig {
  readonly place: Place
  nowMs = startMs
  store!: Store
  alerting!: Alerting

  constructor(place: Place = memoryPlace()) {
    this.place = place
  }

  async open(): Promise<this> {
    this.store = await this.place.open({ tables })
    this.alerting = new Alerting({ store: this.store, now: () => this.nowMs, log: silentLog, graceMs: 0 })
    return this
  }

  async close(): Promise<void> {
    await this.alerting.close()
    await this.store.close()
  }

  async end(): Promise<void> {
    await this.close()
    this.place.remove()
  }

  /** Stores readings, each a second after the one before unless it says when it arrived; the clock goes with them. */
  send(...readings: Partial<Arrival>[]): Promise<void> {
    return this.sendTo('readings', ...readings)
  }

  async sendTo(table: string, ...readings: Partial<Arrival>[]): Promise<void> {
    for (const fields of readings) {
      this.nowMs = fields.arrivalMs ?? this.nowMs + 1000
      const reading = arrival({ arrivalMs: this.nowMs, unit: undefined, ...fields })
      await this.store.commit([{ kind: 'append', table, readings: [reading] }], 'now')
    }
  }

  async alerts(): Promise<AlertRow[]> {
    return (await collect(this.store.rows('alerts'))).map(row => row.value as unknown as AlertRow)
  }
}
