/**
 * Which rules judge which series, and which series belong into a snippet. Pure. Patterns know one sign, `*`, and are
 * matched in time linear in text times stars: a pattern from a file can never make a gateway think for long.
 * Callers ask once per series and keep the answer, so a rule that does not match costs nothing per reading.
 */
import type { AlertRule, Limit, Rule, SnippetSpec } from './rule.ts'

export type SeriesName = { readonly table: string; readonly device: string; readonly metric: string }

/** The rules that judge a series, in the order of their files. */
export function rulesFor(rules: readonly Rule[], series: SeriesName): readonly Rule[] {
  return rules.filter(
    ({ match }) =>
      match.table === series.table &&
      matchesPattern(match.device, series.device) &&
      matchesPattern(match.metric, series.metric),
  )
}

/** Whether readings of a series belong into the snippet of an alert about `about`. */
export function inSnippet(
  spec: SnippetSpec,
  about: { readonly device: string; readonly metric: string },
  series: SeriesName,
): boolean {
  return (
    spec.tables.includes(series.table) &&
    matchesPattern(spec.device, series.device, about) &&
    matchesPattern(spec.metric, series.metric, about)
  )
}

/**
 * Whether a text matches a pattern of literal runs and `*`. Placeholders are filled after the pattern is cut at its
 * stars: a device that is called `*` stands for itself only.
 */
export function matchesPattern(pattern: string, text: string, about?: { device: string; metric: string }): boolean {
  const runs = pattern.split('*').map(run => (about ? fillPlaceholders(run, about) : run))
  const first = runs[0] ?? ''
  if (runs.length === 1) return text === first
  const last = runs.at(-1) ?? ''
  if (text.length < first.length + last.length || !text.startsWith(first) || !text.endsWith(last)) return false
  let from = first.length
  const end = text.length - last.length
  for (const run of runs.slice(1, -1)) {
    const found = text.indexOf(run, from)
    if (found === -1 || found + run.length > end) return false
    from = found + run.length
  }
  return true
}

/** `{device}` and `{metric}` replaced by those of a series; any other text stays as it is. */
export function fillPlaceholders(text: string, about: { readonly device: string; readonly metric: string }): string {
  if (!text.includes('{')) return text
  return text.replaceAll(/\{(device|metric)\}/g, (_, name: string) => (name === 'device' ? about.device : about.metric))
}

/** The rule as it is for one series: keys of its limits written out, so that judging a reading builds no text. */
export function ruleFor(rule: AlertRule, series: { readonly device: string; readonly metric: string }): AlertRule {
  if (rule.condition.kind !== 'limits') return rule
  const filled = (limit: Limit | undefined): Limit | undefined => {
    if (limit?.kind !== 'row') return limit
    const key = fillPlaceholders(limit.key, series)
    // A name that looks like a placeholder would be filled in once more: such a key is left for each reading.
    return key.includes('{') ? limit : { ...limit, key }
  }
  const { of, above, below, clear } = rule.condition
  return {
    ...rule,
    condition: { kind: 'limits', of, above: filled(above), below: filled(below), clear: filled(clear) },
  }
}

/** What is wrong with the braces of a text that may hold placeholders, as half a sentence; undefined if nothing is. */
export function placeholderFault(text: string): string | undefined {
  const rest = text.replaceAll(/\{(device|metric)\}/g, '')
  const unknown = /\{([^{}]*)\}/.exec(rest)
  if (unknown) return `unknown placeholder "${unknown[0]}"; known are {device} and {metric}`
  return /[{}]/.test(rest) ? 'a brace that belongs to no placeholder; known are {device} and {metric}' : undefined
}
