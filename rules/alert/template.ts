/**
 * The texts of annotations and actions: `{{ $labels.device }} is at {{ $value }} (limit {{ $threshold }})`, Prometheus'
 * form without its functions; `$device_labels.site` is what the table `devices` says of the device. Pure. A template
 * that parses always renders: unknown variables are found when the file is read, never when an alert is raised at night.
 */
import { nearestName } from '../../runtime/document.ts'
import type { Json } from '../../runtime/reading.ts'

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
  'severity',
  'state',
] as const
export type TemplateVariable = (typeof templateVariables)[number]

/** Labels that every alert has, whatever its rule says; a rule may not set them. */
export const givenLabels = ['alertname', 'device', 'metric'] as const

export type TemplateValues = {
  readonly variables: Readonly<Record<TemplateVariable, Json>>
  readonly labels: Readonly<Record<string, string>>
  /** Nobody knows these when a file is read: one that a device does not have is an empty text. */
  readonly deviceLabels: Readonly<Record<string, string>>
}

type Part =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'variable'; readonly name: TemplateVariable }
  | { readonly kind: 'label'; readonly name: string }
  | { readonly kind: 'device-label'; readonly name: string }

/** A sentence, and where in the text. */
type TemplateFault = { readonly message: string; readonly offset: number }

/** Each fault of a template; an empty list means that `renderTemplate` will find every name. */
export function templateFaults(text: string, labels: readonly string[]): TemplateFault[] {
  return parse(text, [...givenLabels, ...labels]).faults
}

/** The text with every variable filled in. */
export function renderTemplate(text: string, values: TemplateValues): string {
  const { parts } = parse(text, Object.keys(values.labels))
  return parts.map(part => renderPart(part, values)).join('')
}

/**
 * The same for a whole value: every text in it is filled in, and one that is a single variable becomes what that stands
 * for, so that `{ "level": "{{ $value }}" }` holds a number.
 */
export function renderJson(template: Json, values: TemplateValues): Json {
  if (typeof template === 'string') {
    const { parts } = parse(template, Object.keys(values.labels))
    const [first, only, last] = parts
    const isAlone = parts.length === 3 && only?.kind === 'variable' && [first, last].every(isNothing)
    return isAlone ? values.variables[only.name] : renderTemplate(template, values)
  }
  if (typeof template !== 'object' || template === null) return template
  if (Array.isArray(template)) return (template as readonly Json[]).map(item => renderJson(item, values))
  return Object.fromEntries(Object.entries(template).map(([name, inner]) => [name, renderJson(inner, values)]))
}

const isNothing = (part: Part | undefined): boolean => part?.kind === 'text' && part.text === ''

/**
 * A number for people. Whole numbers as they are; others to seven digits, which is what the 32-bit float of a sensor
 * carries: 21.299999237060547 reads 21.3. The row of the alert keeps the exact number.
 */
export function formatNumber(value: number): string {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(7)))
}

function renderPart(part: Part, { variables, labels, deviceLabels }: TemplateValues): string {
  if (part.kind === 'text') return part.text
  if (part.kind === 'label') return Object.hasOwn(labels, part.name) ? (labels[part.name] ?? '') : ''
  if (part.kind === 'device-label') return Object.hasOwn(deviceLabels, part.name) ? (deviceLabels[part.name] ?? '') : ''
  const value = variables[part.name]
  if (value === null) return ''
  if (typeof value === 'number') return formatNumber(value)
  return typeof value === 'string' ? value : JSON.stringify(value)
}

function parse(text: string, labels: readonly string[]): { parts: Part[]; faults: TemplateFault[] } {
  const parts: Part[] = []
  const faults: TemplateFault[] = []
  let from = 0
  for (;;) {
    const open = text.indexOf('{{', from)
    if (open === -1) break
    const close = text.indexOf('}}', open + 2)
    if (close === -1) {
      faults.push({ message: '"{{" without its "}}"', offset: open })
      break
    }
    parts.push({ kind: 'text', text: text.slice(from, open) })
    const part = parseVariable(text.slice(open + 2, close).trim(), labels)
    if (typeof part === 'string') faults.push({ message: part, offset: open })
    else parts.push(part)
    from = close + 2
  }
  parts.push({ kind: 'text', text: text.slice(from) })
  return { parts, faults }
}

/** What is not a variable is searched for the name of one so far: it may be long. */
const innerLookedAt = 200

/** The variable that stands between braces, or a sentence about what stands there instead. */
function parseVariable(inner: string, labels: readonly string[]): Part | string {
  const match = /^\$(\w+)(?:\.(\w+))?$/.exec(inner)
  const [, name = '', label] = match ?? []
  if (name === 'labels' && label !== undefined) {
    if (labels.includes(label)) return { kind: 'label', name: label }
    return `no label "${label}" in {{ $labels.${label} }}${meant(label, labels)}; labels here: ${labels.join(', ')}`
  }
  if (name === 'device_labels' && label !== undefined) return { kind: 'device-label', name: label }
  const variable = templateVariables.find(known => known === name)
  if (variable && label === undefined) return { kind: 'variable', name: variable }
  if (name === 'labels' || name === 'device_labels') {
    return `{{ $${name} }} are many: name one, as in {{ $${name}.${name === 'labels' ? 'device' : 'site'} }}`
  }
  const bare = templateVariables.find(each => inner.slice(0, innerLookedAt).split(/\W+/).includes(each))
  if (!match && bare !== undefined)
    return `{{ ${inner} }} is not a variable: functions are not supported; write {{ $${bare} }}`
  const known = `known are ${templateVariables.map(each => `$${each}`).join(', ')}, $labels.NAME and $device_labels.NAME`
  if (!match) return `{{ ${inner} }} is not a variable: functions are not supported; ${known}`
  return `unknown variable {{ ${inner} }}${meant(name, ['labels', 'device_labels', ...templateVariables], '$')}; ${known}`
}

function meant(typed: string, known: readonly string[], sign = ''): string {
  const nearest = nearestName(typed, known)
  return nearest === undefined ? '' : `; did you mean "${sign}${nearest}"?`
}
