/**
 * The texts of a rule: labels, annotations, and what its actions publish and write. Everything that a template can get
 * wrong is found here, so that an alert at night finds every name. Pure.
 */
import type { Path } from '../../runtime/document.ts'
import { givenLabels, templateFaults } from '../alert/template.ts'
import { actionCharactersMax, actionsMax, labelsMax, topicCharactersMax } from '../limits.ts'
import { type Fault, has, listOf, mapOf, type RuleOutline, textOf, textsOf } from './outline.ts'

export function labelFaults(labels: unknown, path: Path): Fault[] {
  const names = Object.keys(mapOf(labels) ?? {})
  const texts = textsOf(labels)
  const faults = names.slice(0, labelsMax).flatMap((name): Fault[] => {
    const at = [...path, name]
    if (!isLabelName(name)) return [{ path: at, message: notLabelName(name) }]
    if (givenLabels.some(given => given === name)) {
      return [{ path: at, message: `the label "${name}" is set by Holdfast on every alert; choose another name` }]
    }
    if (texts[name]?.includes('{{')) {
      return [{ path: at, message: `"${name}": labels are plain text; write variables into annotations` }]
    }
    return []
  })
  return names.length > labelsMax ? [...faults, { path, message: `more than ${labelsMax} labels` }] : faults
}

/** Annotations and actions. Nothing is said where there are far too many labels: a complaint would name them all. */
export function templatedFaults(rule: RuleOutline, groupLabels: unknown, path: Path): Fault[] {
  const severity = has(rule, 'severity') ? ['severity'] : []
  const said = [groupLabels, rule['labels']].map(labels => Object.keys(textsOf(labels)))
  if (said.some(names => names.length > labelsMax)) return []
  const labels = new Set([...said.flat(), ...severity])
  return [
    ...annotationFaults(rule['annotations'], [...labels], [...path, 'annotations']),
    ...listOf(rule['actions'])
      .slice(0, actionsMax)
      .flatMap(({ value, index }) => actionFaults(value, [...labels], [...path, 'actions', index])),
  ]
}

function annotationFaults(annotations: unknown, labels: readonly string[], path: Path): Fault[] {
  const names = Object.keys(mapOf(annotations) ?? {})
  const texts = textsOf(annotations)
  const faults = names.slice(0, labelsMax).flatMap((name): Fault[] => {
    const at = [...path, name]
    const nameFaults = isLabelName(name) ? [] : [{ path: at, message: notLabelName(name) }]
    return [...nameFaults, ...textFaults(texts[name], labels, at)]
  })
  return names.length > labelsMax ? [...faults, { path, message: `more than ${labelsMax} annotations` }] : faults
}

function actionFaults(action: RuleOutline, labels: readonly string[], path: Path): Fault[] {
  const faults: Fault[] = []
  const [publishes, writes] = [has(action, 'publish'), has(action, 'write')]
  if (publishes === writes) {
    const message = publishes
      ? 'an action does one thing, publish or write: make two actions'
      : 'an action says publish (a message) or write (a row)'
    faults.push({ path, message })
  }
  if (has(action, 'repeat') && has(action, 'on') && ![action['on']].flat().includes('firing')) {
    const message = '"repeat": an action is repeated while the alert fires, and this one is only done when it resolves'
    faults.push({ path: [...path, 'repeat'], message, onKey: true })
  }
  const publish = mapOf(action['publish']) ?? {}
  const write = mapOf(action['write']) ?? {}
  const topic = textOf(publish['topic'])
  const topicFault = topic === undefined ? undefined : topicFaultOf(topic)
  const topicPath = [...path, 'publish', 'topic']
  return [
    ...faults,
    ...(topicFault === undefined ? [] : [{ path: topicPath, message: `"topic": ${topicFault}` }]),
    ...textFaults(topic, labels, topicPath),
    ...textFaults(publish['payload'], labels, [...path, 'publish', 'payload']),
    ...textFaults(write['key'], labels, [...path, 'write', 'key']),
    ...textFaults(write['row'], labels, [...path, 'write', 'row']),
  ]
}

/** Of a text, and of all texts in a list or map. A text that is far too long has been told so. */
function textFaults(value: unknown, labels: readonly string[], path: Path): Fault[] {
  if (typeof value === 'string') {
    if (value.length > actionCharactersMax) return []
    return templateFaults(value, labels).map(({ message, offset }) => {
      const name = path.at(-1)
      const where = typeof name === 'number' ? `item ${name + 1}` : `"${name}"`
      return { path, offset, message: `${where}: ${message}` }
    })
  }
  if (Array.isArray(value)) return value.flatMap((item, index) => textFaults(item, labels, [...path, index]))
  return Object.entries(mapOf(value) ?? {}).flatMap(([key, item]) => textFaults(item, labels, [...path, key]))
}

/** What no topic may hold, whatever is filled in: names that are filled in become one level each. */
function topicFaultOf(topic: string): string | undefined {
  if (topic === '' || topic.length > topicCharactersMax) return undefined
  const filled = topic.replaceAll(/\{\{.*?\}\}/g, 'x')
  if (/[+#]/.test(filled)) return 'a topic to publish to has no wildcards (+, #)'
  if (/[\s\p{C}]/u.test(filled)) return 'a topic has no spaces and no control characters'
  if (filled.split('/').includes('')) return 'a topic has no empty level and no slash at its ends'
  if (filled.startsWith('$')) return 'topics that begin with $ belong to the broker'
  if (/^holdfast(\/|$)/.test(filled)) return 'topics below holdfast/ belong to Holdfast: choose another'
  return undefined
}

/** Prometheus' rule for label names, so that alerts can go there as they are. */
function isLabelName(name: string): boolean {
  return /^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)
}

function notLabelName(name: string): string {
  return `"${name}" is not a name here: a letter, then letters, digits or _, at most 64, not beginning with __`
}
