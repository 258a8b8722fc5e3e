/**
 * From what was judged to what is written: the rows of alerts with their snippets, the labels of their devices, and the
 * silence that was in force when they fired. Reads the store, writes nothing: the watcher commits it with state and cursor.
 */
import { type AlertRow, alertRow } from '../../rules/alert/alert.ts'
import { type Snippet, snippetBytes } from '../../rules/alert/snippet.ts'
import type { Judgement } from '../../rules/judge/verdict.ts'
import { snippetBytesMin } from '../../rules/limits.ts'
import type { Json } from '../reading.ts'
import type { Change } from '../store/types.ts'
import type { Afters } from './afters.ts'
import { type Cut, cutSnippet, snippetSpecOf } from './cut.ts'
import { alertsTable, keyOf } from './names.ts'
import type { Shared } from './shared.ts'

/** Where thousands of alerts fire in one moment their rows are one commit: after so much the snippets become short. */
const snippetsBytesMax = 8 * 1024 * 1024

export class Raising {
  readonly #table: string
  readonly #shared: Shared
  readonly #afters: Afters

  constructor(table: string, shared: Shared, afters: Afters) {
    this.#table = table
    this.#shared = shared
    this.#afters = afters
  }

  /**
   * The rows as they are after these, in the order in which they were first spoken of. One that fires and ends within them
   * is written twice: whoever follows the table must see that it fired, for there are actions to do and people to tell.
   */
  async changes(judged: readonly Judgement[]): Promise<Change[]> {
    const { store, silences } = this.#shared
    if (judged.some(({ verdict }) => verdict.kind === 'fired')) await silences.refresh()
    const rows = new Map<string, AlertRow>()
    let bytes = 0
    const afters: Change[] = []
    const begun: Change[] = []
    for (const judgement of judged) {
      const { rule, subject, verdict } = judgement
      const key = keyOf(store.origin, rule.id, subject, verdict.firedMs, verdict.late)
      const earlier = rows.get(key)
      const before = earlier ?? (store.latest(alertsTable, key)?.value as AlertRow | undefined)
      const row = await this.#row(judgement, before, bytes > snippetsBytesMax)
      bytes += row.snippet ? snippetBytes(row.snippet) : 0
      if (earlier?.state === 'firing' && row.state !== 'firing') begun.push(put(key, earlier))
      rows.set(key, row)
      if (verdict.kind === 'fired') afters.push(...this.#after(judgement, key))
    }
    return [...begun, ...[...rows].map(([key, row]) => put(key, row)), ...afters]
  }

  /** Once they are on the disk. */
  tell(judged: readonly Judgement[]): void {
    const { log, counts } = this.#shared
    for (const { rule, subject, verdict } of judged) {
      if (verdict.kind === 'fired') counts.raised++
      else if (verdict.kind === 'resolved') counts.resolved++
      const { device, metric } = subject
      const { value, threshold } = verdict
      log.info({ rule: rule.id, device, metric, value, threshold }, `alert ${verdict.kind}`)
    }
  }

  async #row(judgement: Judgement, before: AlertRow | undefined, isTight: boolean): Promise<AlertRow> {
    const { rule, subject, verdict } = judgement
    const { labels, silences } = this.#shared
    const series = { ...subject, deviceLabels: labels.of(subject.device) }
    if (verdict.kind !== 'fired') return alertRow(rule, series, verdict, before)
    const row = alertRow(rule, series, verdict, await this.#cut(judgement, isTight))
    return { ...row, silenced: silences.over(row, row.fired_ms)?.id ?? null }
  }

  /** The readings before the verdict, in the device's own time. */
  #cut({ seq, ...judgement }: Judgement, isTight: boolean): Promise<Snippet> {
    const { spec, ...cut } = cutOf(judgement)
    return cutSnippet(
      this.#shared.store,
      { ...cut, spec: isTight ? { ...spec, bytesMax: snippetBytesMin } : spec },
      // More may be stored by now, even of the same millisecond: judged again, the alert must come out the same.
      (entry, table) => seq === undefined || table !== this.#table || entry.seq <= seq,
    )
  }

  /** Of a rule that wants to know what came after, too. */
  #after(judgement: Judgement, key: string): Change[] {
    const { rule, timeMs, verdict } = judgement
    const { afterMs } = rule.snippet
    if (afterMs === 0) return []
    const cut = cutOf(judgement)
    const isArrival = !verdict.late && verdict.atMs === timeMs
    // What came late may go on coming: its own time has passed long ago.
    const dueMs = (verdict.late ? this.#shared.now() : verdict.atMs) + afterMs
    return [this.#afters.add(key, { ...cut, toMs: timeMs + afterMs, dueMs, isArrival })]
  }
}

const put = (key: string, row: AlertRow): Change => {
  return { kind: 'put', table: alertsTable, key, value: row as unknown as Json }
}

function cutOf({ rule, subject, timeMs }: Omit<Judgement, 'seq'>): Cut {
  const { table, origin, device, metric } = subject
  const about = { table, origin, device, metric }
  return { spec: snippetSpecOf(rule), about, fromMs: timeMs - rule.snippet.beforeMs, toMs: timeMs }
}
