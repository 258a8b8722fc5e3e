/** What the questions of an expression need together: how long to look back, at which series, in which tables. Bounded. */
import type { ExpressionFault } from './faults.ts'
import { othersMax, windowsMax } from './limits.ts'
import type { Question } from './questions.ts'
import type { HistoryNeeds, Needs, OtherNeeds } from './scope.ts'

/** A question, and where it stands. */
export type Found = { readonly question: Question; readonly offset: number }

type Gathered = {
  readonly device: string | undefined
  readonly metric: string | undefined
  readonly windowsMs: Set<number>
  previous: boolean
  devices: boolean
}

export type NeedsFound =
  | { readonly ok: true; readonly needs: Needs }
  | { readonly ok: false; readonly fault: ExpressionFault }

export function needsOf(found: readonly Found[]): NeedsFound {
  const series = new Map<string, Gathered>()
  const own = gatheredIn(series, undefined, undefined)
  for (const { question, offset } of found) {
    const { series: about, windowMs, previous, devices } = question.needs
    if (about === undefined) continue
    const of = about === 'own' ? own : gatheredIn(series, about.device, about.metric)
    if (windowMs !== undefined) of.windowsMs.add(windowMs)
    of.previous ||= previous === true
    of.devices ||= devices === true
    if (series.size - 1 > othersMax) return refused(`more than ${othersMax} other series in one expression`, offset)
    if (of.windowsMs.size > windowsMax)
      return refused(`more than ${windowsMax} lengths of windows over one series`, offset)
  }
  const all = found.map(({ question }) => question.needs)
  const others = [...series.values()].flatMap(of =>
    of.metric === undefined ? [] : [{ ...historyOf(of), device: of.device, metric: of.metric } satisfies OtherNeeds],
  )
  const needs: Needs = {
    own: historyOf(own),
    others,
    tables: [...new Set(all.flatMap(({ table }) => table ?? []))],
    changesWithTime: all.some(({ time }) => time === true),
    labels: all.some(({ labels }) => labels === true),
  }
  return { ok: true, needs }
}

const refused = (message: string, offset: number): NeedsFound => ({ ok: false, fault: { message, offset } })

function gatheredIn(series: Map<string, Gathered>, device: string | undefined, metric: string | undefined): Gathered {
  const key = JSON.stringify([device, metric])
  const known = series.get(key)
  if (known) return known
  const made = { device, metric, windowsMs: new Set<number>(), previous: false, devices: false }
  series.set(key, made)
  return made
}

const historyOf = ({ windowsMs, previous, devices }: Gathered): HistoryNeeds => ({
  windowsMs: [...windowsMs].toSorted((a, b) => a - b),
  previous,
  devices,
})
