/**
 * Rule files in, rules out: all of them, or every problem of every file at once with file, line and column. Pure: texts
 * in, no file is opened here. A set of files with one problem gives no rules at all, so the caller's running rules stay
 * in force as they are and are never half replaced.
 */
import { checkDocument, type Problem } from '../../runtime/document.ts'
import { parseDurationMs, parseSizeBytes } from '../../runtime/units.ts'
import { checkOutlines, outlineSchema } from './check.ts'
import {
  snippetBeforeMsDefault,
  snippetBytesDefault,
  lateAfterMsDefault,
  severityDefault,
  type Limit,
  type Rule,
  type SnippetSpec,
} from '../rule.ts'
import {
  limitTableDefault,
  rulesSchema,
  tableDefault,
  type LimitEntry,
  type RuleEntry,
  type RulesFile,
} from './schema.ts'

export type ParsedRules =
  | { readonly ok: true; readonly rules: readonly Rule[] }
  | { readonly ok: false; readonly problems: readonly Problem[] }

/** `file` is the name that problems and alerts show; alert names are unique over all files given together. */
export function parseRules(files: readonly { readonly file: string; readonly text: string }[]): ParsedRules {
  const checked = files.map(({ file, text }) => ({ file, result: checkDocument(file, text, rulesSchema) }))
  const outlines = files.flatMap(({ file, text }) => {
    const outline = checkDocument(file, text, outlineSchema)
    return outline.ok ? [{ file, value: outline.value, at: outline.at }] : []
  })
  const problems = [...checked.flatMap(({ result }) => (result.ok ? [] : result.problems)), ...checkOutlines(outlines)]
  if (problems.length > 0) {
    const order = new Map(files.map(({ file }, index) => [file, index]))
    const place = (problem: Problem): number => order.get(problem.file) ?? 0
    return {
      ok: false,
      problems: problems.toSorted((a, b) => place(a) - place(b) || a.line - b.line || a.column - b.column),
    }
  }
  return {
    ok: true,
    rules: checked.flatMap(({ file, result }) => (result.ok ? compileFile(file, result.value) : [])),
  }
}

function compileFile(file: string, content: RulesFile): Rule[] {
  return content.groups.flatMap(group =>
    group.rules.map(entry => compileRule(file, group.name, group.labels ?? {}, entry)),
  )
}

function compileRule(
  file: string,
  group: string,
  groupLabels: Readonly<Record<string, string>>,
  entry: RuleEntry,
): Rule {
  const match = {
    table: entry.match?.table ?? tableDefault,
    device: entry.match?.device ?? '*',
    metric: entry.match?.metric ?? '*',
    labels: {},
  }
  const [above, below, clear] = [entry.above, entry.below, entry.clear].map(compileLimit)
  const labels = { ...groupLabels, ...entry.labels }
  const meaning = {
    match,
    per: 'series' as const,
    condition: { kind: 'limits' as const, of: undefined, above, below, clear },
    forMs: durationMs(entry.for) ?? 0,
    keepFiringForMs: durationMs(entry.keep_firing_for) ?? 0,
  }
  return {
    kind: 'alert',
    id: entry.alert,
    group,
    file,
    ...meaning,
    moments: undefined,
    lateAfterMs: lateAfterMsDefault,
    latch: false,
    flapping: undefined,
    renotifyMs: undefined,
    actions: [],
    snippet: compileSnippet(entry.snippet, match.table),
    severity: labels['severity'] ?? severityDefault,
    labels,
    annotations: { ...entry.annotations },
    fingerprint: fingerprint(JSON.stringify(meaning)),
  }
}

function compileLimit(entry: LimitEntry | undefined): Limit | undefined {
  if (entry === undefined) return undefined
  if (typeof entry === 'number') return { kind: 'literal', value: entry }
  const { table = limitTableDefault, key, field } = entry
  return { kind: 'row', table, key, field, default: entry.default }
}

function compileSnippet(entry: RuleEntry['snippet'], table: string): SnippetSpec {
  const form = typeof entry === 'string' ? { before: entry } : (entry ?? {})
  return {
    beforeMs: durationMs(form.before) ?? snippetBeforeMsDefault,
    afterMs: 0,
    tables: [...new Set(form.tables ?? [table])],
    device: form.match?.device ?? '{device}',
    metric: form.match?.metric ?? '*',
    bytesMax: form.max_bytes === undefined ? snippetBytesDefault : sizeBytes(form.max_bytes),
    pointsMax: form.max,
  }
}

/** The schema has let through only what parses; whole milliseconds, because times in the log are whole. */
function durationMs(text: string | undefined): number | undefined {
  return text === undefined ? undefined : Math.round(parseDurationMs(text) ?? 0)
}

function sizeBytes(size: string | number): number {
  return parseSizeBytes(String(size)) ?? snippetBytesDefault
}

/** Two FNV-1a hashes of 32 bits, as 16 hex digits: no secret, only "is it still the same rule". */
function fingerprint(text: string): string {
  let [a, b] = [0x811c9dc5, 0xcbf29ce4]
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    a = Math.imul(a ^ code, 0x01000193)
    b = Math.imul(b ^ (code + index), 0x01000193)
  }
  return [a, b].map(hash => (hash >>> 0).toString(16).padStart(8, '0')).join('')
}
