/**
 * Where people look at alerts, acknowledge them and silence them: what the commands ask for. Whatever is done here is a row
 * of a table (`acks`, `silences`), so that a far side does the same by writing the same rows.
 *
 * Promises: nothing is answered before it is on the disk [I1]. Alerts that are not over are kept in memory, without their
 * snippets, from the first question on; the rest is read when it is asked for.
 */
import type { AlertRow } from '../../rules/alert/alert.ts'
import { type Silence, type SilenceMatch, readSilence, silenceOver } from '../../rules/alert/silence.ts'
import { matchesPattern } from '../../rules/match.ts'
import { nearestName } from '../document.ts'
import type { Json } from '../reading.ts'
import type { Store } from '../store/store.ts'
import { type Change, type Seq, seqZero } from '../store/types.ts'
import { acksTable } from './acks.ts'
import { alertsTable } from './names.ts'
import { alertOf } from './notify/announcement.ts'
import { silencesMax } from './notify/limits.ts'
import { silencesTable } from './silences.ts'

export type AlertChoice = {
  /** Also those that are over. */
  readonly all: boolean
  /** Patterns; undefined is any. */
  readonly rule: string | undefined
  readonly device: string | undefined
  readonly sinceMs: number | undefined
  readonly limit: number
}

/** As it stands in the table, without its snippet, and with the silence that covers it now. */
type Shown = Omit<AlertRow, 'snippet'> & { readonly key: string; readonly silence: string | null }

/** Keys among which the nearest is looked for. */
const nearestAmongMax = 1_000

export class AlertDesk {
  readonly #store: Store
  readonly #now: () => number
  readonly #active = new Map<string, Omit<AlertRow, 'snippet'>>()
  #position: Seq = seqZero
  #isRead = false
  #turn: Promise<unknown> = Promise.resolve()

  constructor(store: Store, now: () => number) {
    this.#store = store
    this.#now = now
  }

  /** Newest first. */
  async list({ all, rule, device, sinceMs, limit }: AlertChoice): Promise<readonly Shown[]> {
    const fits = (row: Omit<AlertRow, 'snippet'>): boolean =>
      (rule === undefined || matchesPattern(rule, row.rule)) &&
      (device === undefined || matchesPattern(device, row.device)) &&
      row.fired_ms >= (sinceMs ?? Number.NEGATIVE_INFINITY)
    let found: { key: string; row: Omit<AlertRow, 'snippet'> }[] = []
    const newest = (): void => {
      found = found.toSorted((a, b) => b.row.fired_ms - a.row.fired_ms || (a.key < b.key ? -1 : 1)).slice(0, limit)
    }
    const take = (key: string, row: Omit<AlertRow, 'snippet'>): void => {
      if (fits(row) && found.push({ key, row }) >= 2 * limit) newest()
    }
    if (all) {
      for await (const { key, value } of this.#store.rows(alertsTable)) {
        const row = withoutSnippet(value)
        if (row) take(key, row)
      }
    } else for (const [key, row] of await this.#standing()) take(key, row)
    newest()
    const silences = await this.#silences()
    const nowMs = this.#now()
    return found.map(({ key, row }) => {
      const silence = row.state === 'resolved' ? undefined : silenceOver(silences, row, nowMs)
      return { key, ...row, silence: silence?.id ?? null }
    })
  }

  /** Acknowledges alerts; without keys all that are not over and not acknowledged yet. */
  async acknowledge(keys: readonly string[] | undefined, by: string, comment: string) {
    const standing = await this.#standing()
    const asked = keys ?? [...standing].filter(([, { late }]) => !late).map(([key]) => key)
    const ackedMs = this.#now()
    const changes: Change[] = []
    const outcomes = [...new Set(asked)].map(key => {
      const { outcome, reason } = this.#outcome(key, standing)
      if (outcome === 'acknowledged') {
        changes.push({ kind: 'put', table: acksTable, key, value: { by, acked_ms: ackedMs, comment } })
      }
      return { key, outcome, reason }
    })
    if (changes.length > 0) await this.#store.commit(changes, 'now')
    // Whoever means all of them need not hear of those that were acknowledged before.
    return keys === undefined ? outcomes.filter(({ outcome }) => outcome === 'acknowledged') : outcomes
  }

  #outcome(key: string, standing: ReadonlyMap<string, Omit<AlertRow, 'snippet'>>) {
    const row = standing.get(key) ?? withoutSnippet(this.#store.latest(alertsTable, key)?.value)
    if (!row) {
      const nearest = nearestName(key, [...standing.keys()].slice(0, nearestAmongMax))
      return { outcome: 'not found', reason: nearest === undefined ? undefined : `did you mean ${nearest}?` } as const
    }
    if (row.state === 'resolved')
      return { outcome: 'over', reason: 'there is nothing to acknowledge any more' } as const
    const ack = this.#store.latest(acksTable, key)?.value as { by?: Json; acked_ms?: Json } | undefined
    const by = row.acked_by ?? ack?.by
    const ms = row.acked_ms ?? ack?.acked_ms
    if (ack === undefined && typeof ms !== 'number') return { outcome: 'acknowledged', reason: undefined } as const
    const who = typeof by === 'string' && by !== '' ? `by ${by}` : ''
    const when = typeof ms === 'number' && Math.abs(ms) <= 8.64e15 ? `at ${new Date(ms).toISOString()}` : ''
    return { outcome: 'already acknowledged', reason: [who, when].filter(text => text !== '').join(' ') } as const
  }

  /** Every row of silences, those that end last first. */
  async silences() {
    const nowMs = this.#now()
    const standing = [...(await this.#standing()).values()]
    const told: {
      readonly id: string
      readonly state: string
      readonly reason: string | null
      readonly row: Json
      readonly alerts: number
    }[] = []
    for await (const { key, value } of this.#store.rows(silencesTable, { limit: silencesMax })) {
      const silence = readSilence(key, value)
      const isOne = typeof silence !== 'string'
      const state = isOne ? stateOf(silence, nowMs) : 'faulty'
      const alerts = isOne ? standing.filter(row => silenceOver([silence], row, nowMs)).length : 0
      told.push({ id: key, state, reason: isOne ? null : silence, row: value, alerts })
    }
    const endOf = ({ row }: { readonly row: Json }): number => {
      const untilMs = (row as { readonly [key: string]: Json } | null)?.['until_ms']
      return typeof untilMs === 'number' ? untilMs : 0
    }
    return told.toSorted((a, b) => endOf(b) - endOf(a))
  }

  /** A silence from now on. */
  async silence(match: Partial<SilenceMatch>, forMs: number, by: string, comment: string) {
    const fromMs = this.#now()
    let stampMs = fromMs
    const idOf = (): string => `${this.#store.origin}-${stampMs.toString(36)}`
    while (this.#store.latest(silencesTable, idOf())) stampMs++
    const id = idOf()
    const row = { match, from_ms: fromMs, until_ms: fromMs + forMs, by, comment } as unknown as Json
    await this.#store.commit([{ kind: 'put', table: silencesTable, key: id, value: row }], 'now')
    const silence = readSilence(id, row)
    const standing = [...(await this.#standing()).values()]
    const alerts =
      typeof silence === 'string' ? 0 : standing.filter(alert => silenceOver([silence], alert, fromMs)).length
    return { id, state: 'active', reason: null, row, alerts }
  }

  /** Takes silences away. */
  async unsilence(ids: readonly string[]) {
    const known = (id: string): boolean => this.#store.latest(silencesTable, id) !== undefined
    const there = [...new Set(ids)].filter(known)
    const all: string[] = []
    if (there.length < ids.length) {
      for await (const { key } of this.#store.rows(silencesTable, { limit: nearestAmongMax })) all.push(key)
    }
    const changes = there.map((key): Change => ({ kind: 'delete', table: silencesTable, key }))
    if (changes.length > 0) await this.#store.commit(changes, 'now')
    return [...new Set(ids)].map(id => {
      if (there.includes(id)) return { key: id, outcome: 'ended', reason: undefined }
      const nearest = nearestName(
        id,
        all.filter(key => !there.includes(key)),
      )
      return { key: id, outcome: 'not found', reason: nearest === undefined ? undefined : `did you mean ${nearest}?` }
    })
  }

  async #silences(): Promise<readonly Silence[]> {
    const found: Silence[] = []
    for await (const { key, value } of this.#store.rows(silencesTable, { limit: silencesMax })) {
      const silence = readSilence(key, value)
      if (typeof silence !== 'string') found.push(silence)
    }
    return found
  }

  /** Alerts that are not over, as the table has them now: the whole of it is read once, then only what is new. */
  #standing(): Promise<ReadonlyMap<string, Omit<AlertRow, 'snippet'>>> {
    const turn = this.#turn.then(() => this.#catchUp())
    this.#turn = turn.catch(() => undefined)
    return turn
  }

  async #catchUp(): Promise<ReadonlyMap<string, Omit<AlertRow, 'snippet'>>> {
    if (!this.#isRead) {
      this.#position = this.#store.head(alertsTable)
      for await (const { key, value } of this.#store.rows(alertsTable)) this.#note(key, value)
      this.#isRead = true
    }
    for (;;) {
      const entries = await this.#store.read(alertsTable, this.#position, 256)
      if (entries.length === 0) return this.#active
      for (const entry of entries) {
        if (entry.kind === 'record') this.#note(entry.key, this.#store.latest(alertsTable, entry.key)?.value)
        this.#position = entry.seq
      }
    }
  }

  #note(key: string, value: Json | undefined): void {
    const row = withoutSnippet(value)
    if (row && row.state !== 'resolved') this.#active.set(key, row)
    else this.#active.delete(key)
  }
}

function stateOf({ fromMs, untilMs }: Silence, nowMs: number): 'active' | 'waiting' | 'ended' {
  if (nowMs < fromMs) return 'waiting'
  return nowMs < untilMs ? 'active' : 'ended'
}

function withoutSnippet(value: Json | undefined): Omit<AlertRow, 'snippet'> | undefined {
  const row = alertOf(value)
  if (!row) return undefined
  const { snippet: _, ...rest } = row
  return rest
}
