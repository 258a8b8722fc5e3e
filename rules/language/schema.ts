/**
 * The form of a rule file: which keys there are, what each may hold, and a sentence for people about each. Only what can
 * be said of one value alone; what needs two values, or two files, is in check.ts. From the same schema comes the JSON
 * Schema that lets an editor complete keys and show these sentences.
 */
import { z } from 'zod'
import { formatDuration, formatSize, parseDurationMs, parseSizeBytes } from '../../runtime/units.ts'
import { placeholderFault } from '../match.ts'
import {
  annotationCharactersMax,
  holdMsMax,
  labelCharactersMax,
  snippetBeforeMsDefault,
  snippetBeforeMsMax,
  snippetBytesDefault,
  snippetBytesMax,
  snippetBytesMin,
} from '../rule.ts'

export const tableDefault = 'readings'
export const limitTableDefault = 'thresholds'

const nameCharactersMax = 256

function duration(msMax: number): z.ZodString {
  return z
    .string({ error: 'a duration such as 30s, 5m or 1h30m' })
    .refine(text => parseDurationMs(text) !== undefined, {
      error: 'not a duration; write it as 30s, 5m or 1h30m',
      abort: true,
    })
    .refine(text => (parseDurationMs(text) ?? 0) <= msMax, { error: `longer than ${formatDuration(msMax)}` })
}

const size = z
  .union([z.string(), z.number()], { error: 'a size such as 48KiB' })
  .refine(value => parseSizeBytes(String(value)) !== undefined, {
    error: 'not a size; write it as 48KiB or 50000',
    abort: true,
  })
  .refine(
    value => {
      const bytes = parseSizeBytes(String(value)) ?? 0
      return bytes >= snippetBytesMin && bytes <= snippetBytesMax
    },
    { error: `must be from ${snippetBytesMin} to ${snippetBytesMax} bytes` },
  )

const tableName = z
  .string({ error: 'the name of a table' })
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, { error: 'not the name of a table: letters, digits, _ . and -' })

const name = z
  .string({ error: 'a text; put quotes around numbers, and around a pattern that begins with *' })
  .min(1, { error: 'empty; write "*" for any' })
  .max(nameCharactersMax, { error: `longer than ${nameCharactersMax} characters` })

const plainPattern = name.refine(text => !/[{}]/.test(text), {
  error: 'no placeholders here: this is the place that chooses the series; * stands for any run of characters',
})

function withPlaceholders(text: z.ZodString): z.ZodString {
  return text.superRefine((value, context) => {
    const fault = placeholderFault(value)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })
}

/** Keys that people know from elsewhere: refused, each with its own sentence. Editors are not offered them. */
function refused(sentence: string): z.ZodOptional<z.ZodNever> {
  return z.never({ error: sentence }).optional()
}

const number = z.number({ error: 'a number' })

const limit = z.union(
  [
    number,
    z.strictObject({
      table: tableName.optional().describe(`The records table that holds the limit; default ${limitTableDefault}.`),
      key: withPlaceholders(name).describe('The row; {device} and {metric} stand for those of the reading.'),
      field: name.optional().describe('The field of the row that holds the number; left out if the row is the number.'),
      default: number.optional().describe('Used while the row is missing; without it the rule waits for the row.'),
    }),
  ],
  { error: 'a number, or { table: thresholds, key: "{device}/{metric}", field: max, default: 8 }' },
)

const match = z.strictObject({
  table: tableName.optional().describe(`The series table whose readings are judged; default ${tableDefault}.`),
  device: plainPattern.optional().describe('Device, with * for any run of characters; default any.'),
  metric: plainPattern.optional().describe('Metric, with * for any run of characters; default any.'),
})

const before = duration(snippetBeforeMsMax).describe(
  `How far before the alert the snippet begins; default ${formatDuration(snippetBeforeMsDefault)}, at most ${formatDuration(snippetBeforeMsMax)}.`,
)

const snippet = z.union(
  [
    before,
    z.strictObject({
      before: before.optional(),
      tables: z
        .array(tableName)
        .min(1, { error: 'at least one table' })
        .max(16, { error: 'at most 16 tables' })
        .optional()
        .describe('Series tables to take readings from; default the table of the rule.'),
      match: z
        .strictObject({
          device: withPlaceholders(name).optional().describe('Default "{device}": the device of the alert.'),
          metric: withPlaceholders(name).optional().describe('Default "*": all metrics.'),
        })
        .optional(),
      max_bytes: size.optional().describe(`Longer snippets are thinned; default ${formatSize(snippetBytesDefault)}.`),
      max: z
        .int({ error: 'a whole number of readings' })
        .min(1, { error: 'at least 1' })
        .max(100_000, { error: 'at most 100000' })
        .optional()
        .describe('At most so many readings; more are thinned.'),
    }),
  ],
  { error: 'a duration such as 60s, or { before: 60s, tables: [readings], match: { device: "{device}" } }' },
)

const labels = z.record(
  z.string(),
  z
    .string({ error: 'a text; put quotes around numbers and true or false' })
    .max(labelCharactersMax, { error: `longer than ${labelCharactersMax} characters` }),
  { error: 'names and texts, such as { severity: critical }' },
)

const annotations = z.record(
  z.string(),
  z
    .string({ error: 'a text' })
    .max(annotationCharactersMax, { error: `longer than ${annotationCharactersMax} characters` }),
  { error: 'names and texts, such as { summary: "{{ $labels.device }} is at {{ $value }}" }' },
)

const later = 'come with a later version of Holdfast'

const rule = z.strictObject({
  alert: z
    .string({ error: 'the name of the alert' })
    .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, {
      error: 'not a name for an alert: a letter, then letters, digits, _ . or -, at most 100',
    })
    .describe('Name of the alert, unique over all rule files.'),
  match: match.optional().describe('Which readings are judged; default all of the table "readings".'),
  above: limit.optional().describe('Violated by a value greater than this. With below: outside the band.'),
  below: limit.optional().describe('Violated by a value smaller than this. With above: outside the band.'),
  clear: limit
    .optional()
    .describe('A firing alert clears only here, on the good side of the limit; default the limit.'),
  for: duration(holdMsMax).optional().describe('How long a violation must last before the alert fires; default 0s.'),
  keep_firing_for: duration(holdMsMax)
    .optional()
    .describe('How long the value must have been good before the alert resolves; default 0s.'),
  snippet: snippet.optional().describe('Readings written with the alert; default the last 60s of the same device.'),
  labels: labels.optional().describe('Names and texts that the alert carries; severity is the one people look for.'),
  annotations: annotations.optional().describe('Texts for people, with {{ $labels.device }}, {{ $value }} and others.'),
  expr: refused(`expressions ${later}; compare with above or below`),
  record: refused(`recording rules ${later}`),
  absent: refused(`alerts on silence ${later}`),
  from: refused('write the table as match: { table: NAME }'),
})

const group = z.strictObject({
  name: name.describe('Name of the group, unique in its file.'),
  labels: labels.optional().describe('Labels of every rule of the group; those of the rule win.'),
  rules: z.array(rule, { error: 'a list of rules, each beginning with "- alert: NAME"' }),
  interval: refused('not needed: every reading is judged when it arrives'),
  limit: refused('not supported: alerts are never cut off'),
})

export const rulesSchema = z.strictObject({
  groups: z.array(group, { error: 'a list of groups, each beginning with "- name: NAME"' }),
})

export type RulesFile = z.infer<typeof rulesSchema>
export type RuleEntry = z.infer<typeof rule>
export type LimitEntry = z.infer<typeof limit>

/** Draft 2020-12, for `# yaml-language-server: $schema=…` at the head of a rule file. */
export function rulesJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(rulesSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override({ zodSchema, jsonSchema }) {
      const properties = jsonSchema.properties ?? {}
      for (const [key, value] of Object.entries(properties)) {
        if (typeof value === 'object' && value.not !== undefined) delete properties[key]
      }
      if (zodSchema === rule) jsonSchema.anyOf = [{ required: ['above'] }, { required: ['below'] }]
    },
  })
  return { ...schema, title: 'Holdfast rules', description: 'Alert rules of a Holdfast gateway.' }
}
