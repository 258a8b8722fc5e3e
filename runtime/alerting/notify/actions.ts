/**
 * What an action of a rule comes to for one alert: a topic and a payload, or a row. Pure. Every text is a template of
 * `rules/alert/template.ts`; one that cannot be done says why in half a sentence, and is never done by halves.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import { type TemplateValues, renderJson, renderTemplate } from '../../../rules/alert/template.ts'
import type { Action, Occasion } from '../../../rules/rule.ts'
import { topicBytesMax } from '../../limits.ts'
import type { Json } from '../../reading.ts'
import { topicLevel } from './announcement.ts'

export type Deed =
  | {
      readonly kind: 'publish'
      readonly topic: string
      readonly payload: string
      readonly qos: 0 | 1 | 2
      readonly retain: boolean
    }
  | { readonly kind: 'write'; readonly table: string; readonly key: string; readonly row: Json }

/** Tables in which only the gateway itself writes: a row of an alert written by an alert would never end. */
const ownTables: ReadonlySet<string> = new Set(['alerts', 'clock', 'devices', 'gaps', 'parked'])

export function deedOf({ does }: Action, row: AlertRow, on: Occasion): Deed | string {
  const values = valuesOf(row, on)
  if (does.kind === 'write') {
    const key = renderTemplate(does.key, values)
    if (key === '') return 'its key is empty'
    if (ownTables.has(does.table)) return `the table "${does.table}" is written by the gateway alone`
    return { kind: 'write', table: does.table, key, row: renderJson(does.row, values) }
  }
  const topic = renderTemplate(does.topic, inTopics(values))
  const fault = topicFault(topic)
  if (fault !== undefined) return fault
  const payload = typeof does.payload === 'string' ? renderTemplate(does.payload, values) : asJson(does.payload, values)
  return { kind: 'publish', topic, payload, qos: does.qos, retain: does.retain }
}

const asJson = (payload: Json, values: TemplateValues): string => JSON.stringify(renderJson(payload, values))

/** The state is that of the occasion: what is done late is done for what happened then. */
function valuesOf(row: AlertRow, on: Occasion): TemplateValues {
  const { rule, device, metric, severity } = row
  return {
    variables: {
      value: row.value,
      threshold: row.threshold,
      device,
      metric,
      unit: row.unit ?? '',
      side: row.side ?? '',
      alert: rule,
      group: row.group,
      table: row.table,
      severity,
      state: on,
    },
    labels: { ...row.labels, alertname: rule, device, metric },
    // Rows of earlier versions have none, which spreads to nothing.
    deviceLabels: { ...row.device_labels },
  }
}

/** Names put into a topic stay within their level, and are no wildcards. */
function inTopics({ variables, labels, deviceLabels }: TemplateValues): TemplateValues {
  const level = <T extends Json>(value: T): T | string => (typeof value === 'string' ? topicLevel(value) : value)
  const levels = <T extends Json>(values: Readonly<Record<string, T>>): Record<string, T | string> =>
    Object.fromEntries(Object.entries(values).map(([name, value]) => [name, level(value)]))
  return {
    variables: levels(variables) as TemplateValues['variables'],
    labels: levels(labels),
    deviceLabels: levels(deviceLabels),
  }
}

function topicFault(topic: string): string | undefined {
  if (topic === '') return 'its topic is empty'
  if (/[+#\0]/.test(topic)) return 'its topic holds a wildcard (+, #)'
  if (/^(\$|holdfast\/)/.test(topic)) return 'topics below holdfast/ and $ belong to the gateway and its broker'
  return Buffer.byteLength(topic) > topicBytesMax ? `its topic is longer than ${topicBytesMax} bytes` : undefined
}
