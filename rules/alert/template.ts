/**
 * The texts of annotations: `{{ $labels.device }} is at {{ $value }} (limit {{ $threshold }})`, Prometheus' form without
 * its functions. Pure. A template that parses always renders: unknown variables are found when the file is read, never
 * when an alert is raised at night.
 */
import { nearestName } from '../../runtime/document.ts'

/** What `$name` may stand for. */
export const templateVariables = [
  'value',
  'threshold',
  'device',
  'metric',
  'unit',
  'side',
  'alert',
  'group',
  'table',
] as const
export type TemplateVariable = (typeof templateVariables)[number]

/** Labels that every alert has, whatever its rule says; a rule may not set them. */
export const givenLabels = ['alertname', 'device', 'metric'] as const

export type TemplateValues = {
  readonly variables: Readonly<Record<TemplateVariable, string | number>>
  readonly labels: Readonly<Record<string, string>>
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: TemplateVariable }
  | { readonly kind: 'label'; readonly name: string }

/** Each fault of a template as a sentence; an empty list means that `renderTemplate` will find every name. */
export function templateFaults(text: string, labels: readonly string[]): string[] {
  return parse(text, [...givenLabels, ...labels]).faults
}

/** The text with every variable filled in. */
export function renderTemplate(text: string, values: TemplateValues): string {
  const { parts } = parse(text, Object.keys(values.labels))
  return parts.map(part => renderPart(part, values)).join('')
}

/**
 * A number for people. Whole numbers as they are; others to seven digits, which is what the 32-bit float of a sensor
 * carries: 21.299999237060547 reads 21.3. The row of the alert keeps the exact number.
 */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)))
}

function renderPart(part: Part, { variables, labels }: TemplateValues): string {
  if (part.kind === 'text') return part.text
  if (part.kind === 'label') return Object.hasOwn(labels, part.name) ? (labels[part.name] ?? '') : ''
  const value = variables[part.name]
  return typeof value === 'number' ? formatNumber(value) : value
}

function parse(text: string, labels: readonly string[]): { parts: Part[]; faults: string[] } {
  const parts: Part[] = []
  const faults: string[] = []
  let from = 0
  for (;;) {
    const open = text.indexOf('{{', from)
    if (open === -1) break
    const close = text.indexOf('}}', open + 2)
    if (close === -1) {
      faults.push('"{{" without its "}}"')
      break
    }
    parts.push({ kind: 'text', text: text.slice(from, open) })
    const part = parseVariable(text.slice(open + 2, close).trim(), labels)
    if (typeof part === 'string') faults.push(part)
    else parts.push(part)
    from = close + 2
  }
  parts.push({ kind: 'text', text: text.slice(from) })
  return { parts, faults }
}

/** The variable that stands between braces, or a sentence about what stands there instead. */
function parseVariable(inner: string, labels: readonly string[]): Part | string {
  const match = /^\$(\w+)(?:\.(\w+))?$/.exec(inner)
  const [, name = '', label] = match ?? []
  if (name === 'labels' && label !== undefined) {
    if (labels.includes(label)) return { kind: 'label', name: label }
    return `no label "${label}" in {{ $labels.${label} }}${meant(label, labels)}; labels here: ${labels.join(', ')}`
  }
  const variable = templateVariables.find(known => known === name)
  if (variable && label === undefined) return { kind: 'variable', name: variable }
  const known = `known are ${templateVariables.map(each => `$${each}`).join(', ')} and $labels.NAME`
  if (!match) return `{{ ${inner} }} is not a variable: functions are not supported; ${known}`
  return `unknown variable {{ ${inner} }}${meant(name, ['labels', ...templateVariables], '$')}; ${known}`
}

function meant(typed: string, known: readonly string[], sign = ''): string {
  const nearest = nearestName(typed, known)
  return nearest === undefined ? '' : `; did you mean "${sign}${nearest}"?`
}
