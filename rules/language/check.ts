/**
 * What the form of a rule file cannot say: things that hold between two values of a rule, between a rule and its group,
 * and between files. Pure. Works on an outline in which whatever has the wrong form is simply absent, so these problems
 * are found in the same pass as those of form, and a rule is never blamed twice for one mistake.
 */
import { z } from 'zod'
import { nearestName, type Path, type Problem } from '../../runtime/document.ts'
import { labelsMax } from '../rule.ts'
import { givenLabels, templateFaults } from '../alert/template.ts'

const text = z.string().optional().catch(undefined)
const texts = z.record(z.string(), z.string().catch('')).optional().catch(undefined)

const ruleOutline = z.looseObject({
  alert: text,
  above: z.unknown().optional(),
  below: z.unknown().optional(),
  clear: z.unknown().optional(),
  labels: texts,
  annotations: texts,
})

const groupOutline = z.object({
  name: text,
  labels: texts,
  rules: z.array(ruleOutline.catch({ above: 0, below: undefined, clear: undefined })).catch([]),
})

/** Everything that checks look at; reads any YAML without complaint. */
export const outlineSchema = z
  .object({ groups: z.array(groupOutline.catch({ name: undefined, labels: undefined, rules: [] })).catch([]) })
  .catch({ groups: [] })

type RuleOutline = z.infer<typeof ruleOutline>
type Outline = {
  readonly file: string
  readonly value: z.infer<typeof outlineSchema>
  readonly at: (path: Path) => { line: number; column: number }
}
type Fault = { readonly path: Path; readonly message: string }

/** The problems of all files together, because the name of an alert is unique over all of them. */
export function checkOutlines(outlines: readonly Outline[]): Problem[] {
  const alerts = new Map<string, string>()
  return outlines.flatMap(({ file, value, at }) => {
    const place = ({ path, message }: Fault): Problem => ({ file, ...at(path), message })
    const groups = new Map<string, string>()
    return value.groups.flatMap((group, index) => {
      const groupPath = ['groups', index]
      const faults = [
        ...unique(groups, group.name, 'group', [...groupPath, 'name'], place),
        ...labelFaults(group.labels, [...groupPath, 'labels']),
      ]
      const ruleFaults = group.rules.flatMap((rule, ruleIndex) => {
        const path = [...groupPath, 'rules', ruleIndex]
        return [
          ...unique(alerts, rule.alert, 'alert', [...path, 'alert'], place),
          ...limitFaults(rule, path),
          ...labelFaults(rule.labels, [...path, 'labels']),
          ...annotationFaults(rule, group.labels ?? {}, path),
        ]
      })
      return [...faults, ...ruleFaults].map(place)
    })
  })
}

function unique(
  seen: Map<string, string>,
  name: string | undefined,
  what: string,
  path: Path,
  place: (fault: Fault) => Problem,
): Fault[] {
  if (name === undefined) return []
  const first = seen.get(name)
  if (first !== undefined) return [{ path, message: `${what} "${name}" is there already, at ${first}` }]
  const { file, line, column } = place({ path, message: '' })
  seen.set(name, `${file}:${line}:${column}`)
  return []
}

/** Keys of later versions and of other people's files: such a rule has been told what it lacks. */
const otherConditions = ['expr', 'record', 'absent'] as const

function limitFaults(rule: RuleOutline, path: Path): Fault[] {
  const { above, below, clear } = rule
  if (above === undefined && below === undefined) {
    if (otherConditions.some(key => rule[key] !== undefined)) return []
    // A key that was meant to be one of the two has been named as unknown, with the nearest known one.
    if (Object.keys(rule).some(key => ['above', 'below'].includes(nearestName(key, limitKeys) ?? ''))) return []
    return [{ path, message: 'the rule says neither above nor below: one of them (or both) makes it an alert' }]
  }
  const faults: Fault[] = []
  if (typeof above === 'number' && typeof below === 'number' && below > above) {
    const message = `"below": ${below} is greater than above (${above}): every value would be outside the band`
    faults.push({ path: [...path, 'below'], message })
  }
  if (clear === undefined) return faults
  const clearPath = [...path, 'clear']
  if (above !== undefined && below !== undefined) {
    const message = '"clear": only with exactly one of above and below; a band clears inside its limits'
    return [...faults, { path: clearPath, message }]
  }
  if (typeof clear !== 'number') return faults
  if (typeof above === 'number' && clear > above) {
    const message = `"clear": ${clear} is greater than above (${above}); the alert would clear while it is violated`
    faults.push({ path: clearPath, message })
  }
  if (typeof below === 'number' && clear < below) {
    const message = `"clear": ${clear} is smaller than below (${below}); the alert would clear while it is violated`
    faults.push({ path: clearPath, message })
  }
  return faults
}

const limitKeys = ['above', 'below', 'clear', 'for', 'labels', 'alert', 'match']

function labelFaults(labels: Readonly<Record<string, string>> | undefined, path: Path): Fault[] {
  const names = Object.keys(labels ?? {})
  const faults = names.flatMap(name => {
    const at = [...path, name]
    if (!isLabelName(name)) return [{ path: at, message: notLabelName(name) }]
    if (givenLabels.some(given => given === name)) {
      return [{ path: at, message: `the label "${name}" is set by Holdfast on every alert; choose another name` }]
    }
    if (labels?.[name]?.includes('{{')) {
      return [{ path: at, message: `"${name}": labels are plain text; write variables into annotations` }]
    }
    return []
  })
  return names.length > labelsMax ? [...faults, { path, message: `more than ${labelsMax} labels` }] : faults
}

function annotationFaults(rule: RuleOutline, groupLabels: Readonly<Record<string, string>>, path: Path): Fault[] {
  const labels = [...new Set([...Object.keys(groupLabels), ...Object.keys(rule.labels ?? {})])]
  const annotations = Object.entries(rule.annotations ?? {})
  const faults = annotations.flatMap(([name, template]) => {
    const at = [...path, 'annotations', name]
    const nameFaults = isLabelName(name) ? [] : [notLabelName(name)]
    const textFaults = templateFaults(template, labels).map(fault => `"${name}": ${fault}`)
    return [...nameFaults, ...textFaults].map(message => ({ path: at, message }))
  })
  if (annotations.length <= labelsMax) return faults
  return [...faults, { path: [...path, 'annotations'], message: `more than ${labelsMax} annotations` }]
}

/** Prometheus' rule for label names, so that alerts can go there as they are. */
function isLabelName(name: string): boolean {
  return /^(?!__)[A-Za-z_][A-Za-z0-9_]{0,63}$/.test(name)
}

function notLabelName(name: string): string {
  return `"${name}" is not a name here: a letter, then letters, digits or _, at most 64, not beginning with __`
}
