/**
 * The form of a rule file: which keys there are, what each may hold, and a sentence for people about each. Only what can
 * be said of one value alone; what needs two values, or two files, is in check.ts. Alerts and recordings are one form with
 * all keys of both: which belong to which is a question of two keys, and is answered better there.
 */
import { z } from 'zod'
import { formatDuration, formatSize } from '../../runtime/units.ts'
import {
  absentMsMin,
  flappingChangesMax,
  flappingChangesMin,
  flappingMsMax,
  flappingMsMin,
  holdMsMax,
  intervalMsMax,
  intervalMsMin,
  matchLabelsMax,
  renotifyMsMin,
  snippetAfterMsMax,
  snippetBeforeMsMax,
  snippetPointsMax,
  snippetTablesMax,
} from '../limits.ts'
import { intervalMsDefault, lateAfterMsDefault, snippetBeforeMsDefault, snippetBytesDefault } from '../rule.ts'
import { actions } from './action-schema.ts'
import {
  annotations,
  duration,
  expression,
  labelText,
  labels,
  limit,
  limitRow,
  name,
  plainPattern,
  refused,
  size,
  tableDefault,
  tableName,
  withPlaceholders,
} from './values.ts'

const match = z.strictObject(
  {
    table: tableName.optional().describe(`The series table whose readings are judged; default ${tableDefault}.`),
    device: plainPattern.optional().describe('Device, with * for any run of characters; default any.'),
    metric: plainPattern.optional().describe('Metric, with * for any run of characters; default any.'),
    labels: z
      .record(z.string().min(1), plainPattern, { error: 'names and patterns, such as { site: "lyon*" }' })
      .refine(value => Object.keys(value).length <= matchLabelsMax, { error: `more than ${matchLabelsMax} labels` })
      .optional()
      .describe('Labels that the device has in the table devices, with * for any run of characters; all must fit.'),
  },
  { error: 'which readings: { table: readings, device: "freezer-*", metric: temperature }' },
)

const before = duration({ max: snippetBeforeMsMax }).describe(
  `How far before the alert the snippet begins; default ${formatDuration(snippetBeforeMsDefault)}, at most ${formatDuration(snippetBeforeMsMax)}.`,
)

const snippet = z.union(
  [
    before,
    z.strictObject({
      before: before.optional(),
      after: duration({ max: snippetAfterMsMax })
        .optional()
        .describe(
          `How far it goes on after the alert: the row is written once more then; default 0s, at most ${formatDuration(snippetAfterMsMax)}.`,
        ),
      tables: z
        .array(tableName)
        .min(1, { error: 'at least one table' })
        .max(snippetTablesMax, { error: `at most ${snippetTablesMax} tables` })
        .optional()
        .describe('Series tables to take readings from; default the table of the rule.'),
      match: z
        .strictObject({
          device: withPlaceholders(name).optional().describe('Default "{device}": the device of the alert.'),
          metric: withPlaceholders(name).optional().describe('Default "*": all metrics.'),
        })
        .optional()
        .describe('Whose readings; default all metrics of the device of the alert.'),
      max_bytes: size.optional().describe(`Longer snippets are thinned; default ${formatSize(snippetBytesDefault)}.`),
      max: z
        .int({ error: 'a whole number of readings' })
        .min(1, { error: 'at least 1' })
        .max(snippetPointsMax, { error: `at most ${snippetPointsMax}` })
        .optional()
        .describe('At most so many readings; more are thinned.'),
    }),
  ],
  { error: 'a duration such as 60s, or { before: 60s, tables: [readings], match: { device: "{device}" } }' },
)

const flapping = z.strictObject(
  {
    changes: z
      .int({ error: 'a whole number' })
      .min(flappingChangesMin, { error: `at least ${flappingChangesMin}` })
      .max(flappingChangesMax, { error: `at most ${flappingChangesMax}` })
      .describe('More alerts than this within that time are one alert that flaps.'),
    within: duration({ min: flappingMsMin, max: flappingMsMax }).describe(
      'The time in which they are counted; the alert that flaps ends once it was quiet for as long.',
    ),
  },
  { error: 'how many alerts in which time are one: { changes: 5, within: 10m }' },
)

const cronText = z.string({ error: 'a cron expression of five fields in quotes, such as "0 6 * * *"' })

const schedule = z.union(
  [
    cronText,
    z.strictObject({
      cron: cronText.describe('Five fields: minute, hour, day of month, month, day of week.'),
      zone: z
        .string({ error: 'a time zone, such as Europe/Berlin' })
        .optional()
        .describe('A time zone, such as Europe/Berlin; default rules.zone of the configuration.'),
    }),
  ],
  { error: 'a cron expression such as "0 6 * * *", or { cron: "0 6 * * *", zone: Europe/Berlin }' },
)

const interval = duration({ min: intervalMsMin, max: intervalMsMax })

const ruleName = (what: string): z.ZodString =>
  z.string({ error: `the name of the ${what}` }).regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,99}$/, {
    error: `not a name for ${what === 'alert' ? 'an alert' : 'a metric'}: a letter, then letters, digits, _ . or -, no blanks, at most 100`,
  })

export const ruleSchema = z.strictObject({
  alert: ruleName('alert').optional().describe('Name of the alert, unique over all rule files.'),
  record: ruleName('metric').optional().describe('A recording: the metric that the answers of expr are written as.'),
  match: match.optional().describe('Which readings are judged; default all of the table "readings".'),
  per: z
    .enum(['series', 'device', 'all'], {
      error: 'series, device or all',
    })
    .optional()
    .describe('What one alert stands for: a series, a device, or all that the rule matches; default series.'),
  above: limit.optional().describe('Violated by a value greater than this. With below: outside the band.'),
  below: limit.optional().describe('Violated by a value smaller than this. With above: outside the band.'),
  expr: expression
    .optional()
    .describe(
      'An expression: true while violated. With above or below: the number that is held against them. Of a recording: what is written.',
    ),
  clear: z
    .union([z.number(), limitRow, expression], {
      error: 'a number or a row, as for above and below; or with an expr of true and false an expression',
    })
    .optional()
    .describe(
      'A firing alert ends only here: a limit on the good side, or an expression; default as soon as it is not violated.',
    ),
  absent: duration({ min: absentMsMin, max: holdMsMax })
    .optional()
    .describe('Violated once there was no reading for so long.'),
  for: duration({ max: holdMsMax })
    .optional()
    .describe('How long a violation must last before the alert fires; default 0s.'),
  keep_firing_for: duration({ max: holdMsMax })
    .optional()
    .describe('How long the value must have been good before the alert resolves; default 0s.'),
  latch: z
    .boolean({ error: 'true or false' })
    .optional()
    .describe('true: once it is over it waits until somebody acknowledges it; default false.'),
  flapping: flapping.optional().describe('When many alerts in a short time are one alert that flaps; default never.'),
  renotify: duration({ min: renotifyMsMin, max: holdMsMax })
    .optional()
    .describe('How often it is told again while it fires; default alerts.renotify of the configuration.'),
  interval: interval
    .optional()
    .describe(
      `Judged also at multiples of this; default ${formatDuration(intervalMsDefault)} where expr asks for time, else with readings only.`,
    ),
  schedule: schedule.optional().describe('Judged at the moments of this cron expression only.'),
  late_after: duration({ min: 1_000, max: holdMsMax })
    .optional()
    .describe(
      `Readings so much later than their series usually is page nobody; default ${formatDuration(lateAfterMsDefault)}.`,
    ),
  into: tableName.optional().describe(`Of a recording: the series table it is written to; default ${tableDefault}.`),
  severity: labelText
    .min(1, { error: 'empty; write one, such as critical' })
    .optional()
    .describe('Short for the label severity; default warning.'),
  labels: labels.optional().describe('Names and texts that the alert carries.'),
  annotations: annotations.optional().describe('Texts for people, with {{ $labels.device }}, {{ $value }} and others.'),
  snippet: snippet.optional().describe('Readings written with the alert; default the last 60s of the same device.'),
  actions: actions.optional().describe('What is done at the gateway itself when it fires or resolves.'),
  from: refused('write the table as match: { table: NAME }'),
  table: refused('write it into match: { table: NAME }'),
  device: refused('write it into match: { device: "pump-*" }'),
  metric: refused('write it into match: { metric: temperature }'),
  topic: refused('readings are chosen by match: { device: "pump-*", metric: temperature }'),
  entity_id: refused('readings are chosen by match: { device: "pump-*", metric: temperature }'),
  state: refused('write the condition as expr: value == "open"'),
  to: refused('write the condition as expr: value == "open"'),
  notify: refused('alerts are told on the topic holdfast/alerts/#; what the gateway does by itself are actions'),
  where: refused('write the condition as expr'),
  condition: refused('write the condition as above, below, expr or absent'),
  message: refused('write texts as annotations: { summary: "…" }'),
  summary: refused('write texts as annotations: { summary: "…" }'),
  description: refused('write texts as annotations: { description: "…" }'),
})

/** The keys that a rule may have. */
export const ruleKeys: readonly string[] = Object.keys(ruleSchema.shape).filter(
  key => ruleSchema.shape[key as keyof typeof ruleSchema.shape].def.innerType.def.type !== 'never',
)

/** Those that only an alert has. */
export const alertKeys = [
  'above',
  'below',
  'clear',
  'absent',
  'for',
  'keep_firing_for',
  'latch',
  'flapping',
  'renotify',
  'severity',
  'annotations',
  'snippet',
  'actions',
]

const group = z.strictObject({
  name: name.describe('Name of the group, unique in its file.'),
  labels: labels.optional().describe('Labels of every rule of the group; those of the rule win.'),
  interval: interval
    .optional()
    .describe(
      'Rules of the group are judged also at multiples of this, unless they say their own interval or schedule.',
    ),
  rules: z
    .array(ruleSchema, { error: 'a list of rules, each beginning with "- alert: NAME" or "- record: METRIC"' })
    .describe('Alert rules and recording rules.'),
  limit: refused('not supported: alerts are never cut off'),
  query_offset: refused('not needed: readings that come late are known as late'),
})

export const rulesSchema = z.strictObject({
  groups: z
    .array(group, { error: 'a list of groups, each beginning with "- name: NAME"' })
    .describe('Groups of rules, as in Prometheus.'),
})

export type RulesFile = z.infer<typeof rulesSchema>
export type GroupEntry = RulesFile['groups'][number]
export type RuleEntry = z.infer<typeof ruleSchema>
