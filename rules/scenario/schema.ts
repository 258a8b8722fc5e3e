/**
 * The form of a scenario file: promtool's names where promtool has one, and a sentence for people about each. Only what
 * can be said of one value alone; notation, names and times are looked into by check.ts, which can point at a column.
 */
import { z } from 'zod'
import type { Json } from '../../runtime/reading.ts'
import { parseDurationMs } from '../../runtime/units.ts'
import { itemsMax, testsMax } from './limits.ts'

const durationWords = 'a duration such as 30s, 5m or 1h30m'

const duration = z
  .string({ error: durationWords })
  .refine(text => parseDurationMs(text) !== undefined, { error: 'not a duration; write it as 30s, 5m or 1h30m' })

const period = duration.refine(text => parseDurationMs(text) !== 0, { error: 'must be longer than 0s' })

/** Since the start of the test, or a moment in ISO form; check.ts reads it. `0` is what promtool's files say. */
const moment = z.union([z.string(), z.literal(0)], {
  error: 'a time since the start such as 10m, or 2026-01-05T06:10:00Z',
})

const name = z.string({ error: 'a text; put quotes around numbers' }).min(1, { error: 'empty' }).max(256)
const number = z.number({ error: 'a number' })
const yes = z.boolean({ error: 'true or false' })
const json: z.ZodType<Json> = z.json()

function listOf<T extends z.ZodType>(item: T, what: string): z.ZodArray<T> {
  return z.array(item, { error: `a list of ${what}` }).max(itemsMax, { error: `more than ${itemsMax} ${what}` })
}

const values = z.union([z.string(), z.number(), z.boolean(), z.array(z.union([json, z.null()]))], {
  error: 'readings such as 20 20.5 _ 21x10, or a list of values',
})

const series = z.strictObject({
  series: name.describe('Device and metric: freezer-1/temperature, or temperature{device="freezer-1"}.'),
  values: values.describe('One reading an interval: 20 20.5 _ 21x10 20+0.5x5 "open" true; or a list of values.'),
  table: name.optional().describe('The series table; default readings.'),
  unit: name.optional().describe('What the values are measured in.'),
  interval: period.optional().describe('Time between two readings; default the interval of the test.'),
  from: moment.optional().describe('When the first reading is measured; default the start.'),
  device_time: yes.optional().describe('The device sends its own time with each reading.'),
  delay: duration
    .optional()
    .describe('Readings arrive so much later than they were measured; with device_time they say when that was.'),
})

const row = z
  .strictObject({
    at: moment.describe('When the row is written.'),
    table: name.optional().describe('The records table; default thresholds.'),
    key: name.describe('The key of the row.'),
    row: json.optional().describe('What the row holds from then on.'),
    delete: z.literal(true, { error: 'true' }).optional().describe('The row is deleted.'),
  })
  .refine(each => (each.row === undefined) !== (each.delete === undefined), { error: 'needs row, or delete: true' })

const restart = z.strictObject({
  at: moment.describe('When the gateway goes off.'),
  for: duration.optional().describe('How long it is off; default 0s.'),
  crash: yes
    .optional()
    .describe('The power fails: what was not on the disk yet is gone, and nothing is closed in order.'),
  meanwhile: z
    .enum(['lost', 'kept'], { error: 'lost or kept' })
    .optional()
    .describe(
      'What becomes of readings sent meanwhile: lost (default), or kept by the devices and sent with their own time once the gateway is back.',
    ),
})

const clock = z.strictObject({
  at: moment.describe('When it jumps.'),
  jump: z
    .string({ error: 'a jump such as +1h or -30m' })
    .regex(/^[+-]/, { error: 'begins with + or -, as in +1h or -30m', abort: true })
    .refine(text => parseDurationMs(text.slice(1)) !== undefined, { error: 'not a jump; write it as +1h or -30m' })
    .describe('The clock of the gateway goes on from so much later or earlier. Times in this file are not moved.'),
})

const who = {
  by: name.optional().describe('Who does it; default "test".'),
  comment: z.string().optional(),
}

const ack = z.strictObject({
  at: moment,
  alertname: name,
  device: name.optional().describe('Default: the alerts of all devices.'),
  metric: name.optional(),
  ...who,
})

const silence = z.strictObject({
  at: moment,
  for: period,
  match: z.strictObject({
    rule: name.optional(),
    device: name.optional(),
    metric: name.optional(),
    labels: z.record(z.string(), z.string()).optional(),
  }),
  id: name.optional().describe('The key of its row in the table silences.'),
  ...who,
})

const expectedSnippet = z.strictObject({
  count: z.int().min(0).optional().describe('Readings there were before any were thinned.'),
  bytes_max: z.int().min(1).optional().describe('It takes at most so many bytes.'),
  from: moment.optional().describe('When it begins.'),
  to: moment.optional().describe('When it ends.'),
  thinned: yes.optional().describe('Whether readings were left out.'),
  series: z.array(name).optional().describe('The series in it, as device/metric.'),
})

const texts = z.record(z.string(), z.string({ error: 'a text; put quotes around numbers and true or false' }), {
  error: 'names and texts, such as { device: freezer-1 }',
})

const expectedAlert = z.strictObject({
  exp_labels: texts.optional().describe('Labels that the alert has. What is not named here is not looked at.'),
  exp_annotations: texts.optional().describe('Texts of the alert, filled in.'),
  state: z
    .enum(['pending', 'firing', 'latched', 'resolved'], { error: 'pending, firing, latched or resolved' })
    .optional()
    .describe('Default firing.'),
  value: json.optional().describe('The value that fired it.'),
  threshold: z.union([number, z.null()]).optional().describe('The limit that it broke.'),
  since: moment.optional().describe('First violation.'),
  fired_at: moment.optional(),
  resolved_at: moment.optional(),
  late: yes.optional().describe('Found in readings that came late; such alerts are looked for only with late: true.'),
  flapping: yes.optional(),
  silenced: yes.optional(),
  acked: yes.optional(),
  exp_snippet: expectedSnippet.optional(),
})

const alertTest = z.strictObject({
  eval_time: moment.describe('When to look: after the readings of that moment.'),
  alertname: name.optional().describe('The rule; left out, the alerts of all rules.'),
  exp_alerts: listOf(expectedAlert, 'alerts')
    .optional()
    .describe('All alerts that stand then: an alert that is not listed is a failure. Left out or empty: none.'),
})

const recordTest = z.strictObject({
  eval_time: moment,
  exp_readings: listOf(z.strictObject({ series: name, values, table: name.optional() }), 'series').describe(
    'The newest readings of each series, as many as are listed, oldest first.',
  ),
})

const publishTest = z.strictObject({
  eval_time: moment,
  topic: name
    .optional()
    .describe('Only topics that fit, with * for any run of characters; default all but holdfast/*.'),
  exp_published: listOf(z.strictObject({ topic: name, payload: json.optional() }), 'messages').describe(
    'All messages that actions have published since the start, in order.',
  ),
})

const test = z.strictObject({
  name: name.optional().describe('A sentence: what is tested.'),
  interval: period
    .optional()
    .describe('Time between two readings of a series; default the evaluation_interval, or 1m.'),
  start: name.optional().describe('When the test begins, in ISO form.'),
  zone: name.optional().describe('Time zone of hours and weekdays in rules.'),
  input_series: listOf(series, 'series').optional().describe('The readings that devices send.'),
  rows: listOf(row, 'rows').optional().describe('Rows that change: limits, labels of devices, any records table.'),
  restart: listOf(restart, 'restarts').optional().describe('The gateway goes off and comes back.'),
  clock: listOf(clock, 'jumps').optional().describe('The clock of the gateway is set.'),
  acks: listOf(ack, 'acknowledgements').optional().describe('Somebody acknowledges alerts.'),
  silences: listOf(silence, 'silences').optional().describe('Somebody silences alerts for a time.'),
  alert_rule_test: listOf(alertTest, 'moments').optional(),
  record_rule_test: listOf(recordTest, 'moments').optional(),
  publish_test: listOf(publishTest, 'moments').optional(),
  promql_expr_test: z
    .never({ error: 'there is no PromQL here; look at recorded readings with record_rule_test' })
    .optional(),
  external_labels: z.never({ error: 'write labels into the groups of the rule file' }).optional(),
})

export const scenarioSchema = z.strictObject({
  rule_files: z
    .array(name, { error: 'a list of rule files' })
    .min(1, { error: 'at least one rule file' })
    .max(itemsMax)
    .describe('Rule files, from the folder of this file; * stands for any run of characters in a file name.'),
  evaluation_interval: period
    .optional()
    .describe('As in promtool. The gateway judges each reading as it comes; this is only the default of interval.'),
  start: name
    .optional()
    .describe('When all tests begin, unless they say otherwise; default 2026-01-05T00:00:00Z, a Monday.'),
  zone: name.optional().describe('Time zone of hours and weekdays in rules; default UTC.'),
  tests: z.array(test, { error: 'a list of tests, each beginning with "- name: …"' }).max(testsMax),
  group_eval_order: z.never({ error: 'not needed: rules are judged as readings come' }).optional(),
})

export type ScenarioFile = z.infer<typeof scenarioSchema>
export type TestEntry = z.infer<typeof test>
export type ExpectedAlertEntry = z.infer<typeof expectedAlert>

/** Draft 2020-12, for `# yaml-language-server: $schema=…` at the head of a scenario file. */
export function scenarioJsonSchema(): Record<string, unknown> {
  const schema = z.toJSONSchema(scenarioSchema, {
    target: 'draft-2020-12',
    io: 'input',
    override({ jsonSchema }) {
      const properties = jsonSchema.properties ?? {}
      for (const [key, value] of Object.entries(properties)) {
        if (typeof value === 'object' && value.not !== undefined) delete properties[key]
      }
    },
  })
  return { ...schema, title: 'Holdfast rule tests', description: 'Tests of alert rules of a Holdfast gateway.' }
}
