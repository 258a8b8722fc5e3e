/** How an alert stands in the columns of a terminal: what a person looks for first stands first. Pure. */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import { formatNumber } from '../../../rules/alert/template.ts'
import type { AlertForm } from '../../api/alerts.ts'
import type { Json } from '../../reading.ts'
import { type Cell, type Style, age } from '../terminal.ts'

/** Of a gateway of another version anything may be missing. */
export type ListedAlert = AlertForm & Partial<Omit<AlertRow, 'snippet'>>

/** The key comes last: it is what is copied into the next command. */
export const alertTitles = ['since', 'severity', 'state', 'alert', 'device', 'value', 'summary', 'key']

export function alertCells(alert: ListedAlert, nowMs: number): readonly Cell[] {
  const { severity = '-', rule = '-', device = '-', metric, annotations = {}, key } = alert
  const isOver = alert.state === 'resolved'
  const style = isOver ? 'dim' : severityStyle(severity)
  const summary = annotations['summary'] ?? annotations['description'] ?? '-'
  const what = metric === undefined || metric === '' ? device : `${device}/${metric}`
  return [
    timeCell(alert, nowMs),
    { text: severity, style },
    { text: stateText(alert), style },
    rule,
    what,
    valueText(alert),
    summary,
    { text: key, style: 'dim' },
  ]
}

function severityStyle(severity: string): Style {
  if (/^(critical|page|emergency|fatal|error|high)$/i.test(severity)) return 'red'
  return /^(info|information|notice|low)$/i.test(severity) ? 'cyan' : 'yellow'
}

/** `3m12s`; of one that is over, when it fired and for how long. */
function timeCell({ fired_ms: fired, resolved_ms: resolved }: ListedAlert, nowMs: number): Cell {
  if (typeof fired !== 'number' || Math.abs(fired) > 8.64e15) return '-'
  if (typeof resolved !== 'number') return age(nowMs - fired)
  return { text: `${new Date(fired).toISOString()} for ${age(resolved - fired)}`, style: 'dim' }
}

function stateText({
  state = '-' as never,
  late,
  flapping,
  silence,
  acked_ms: acked,
  acked_by: by,
}: ListedAlert): string {
  const words: string[] = [state]
  if (late === true) words.push('late')
  if (flapping === true) words.push('flapping')
  if (typeof acked === 'number') words.push(by ? `acked by ${by}` : 'acked')
  if (silence !== null && silence !== undefined) words.push('silenced')
  return words.join(', ')
}

/** `9.5 °C > 8`. */
function valueText({ value, unit, side, threshold }: ListedAlert): string {
  if (value === undefined || value === null) return '-'
  const shown = `${plain(value)}${unit ? ` ${unit}` : ''}`
  if (typeof threshold !== 'number' || (side !== 'above' && side !== 'below')) return shown
  return `${shown} ${side === 'above' ? '>' : '<'} ${formatNumber(threshold)}`
}

function plain(value: Json): string {
  if (typeof value === 'number') return formatNumber(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}
