/**
 * What the form of a rule file cannot say: things that hold between two values of a rule, between a rule and its group,
 * and between files. Pure. Looks at outlines, so these problems are found in the same pass as those of form.
 */
import type { Path, Problem } from '../../runtime/document.ts'
import { compileInstants } from '../../runtime/schedule.ts'
import { rulesMax } from '../limits.ts'
import { ruleFaults } from './check-rule.ts'
import { labelFaults, templatedFaults } from './check-texts.ts'
import { type Fault, type FileOutline, has, mapOf, type RuleOutline, textOf } from './outline.ts'

/** The problems of all files together, because the name of an alert is unique over all of them. */
export function checkOutlines(outlines: readonly FileOutline[], zone: string): Problem[] {
  const names = new Map<string, string>()
  const cron = cronChecker(zone)
  let count = 0
  return outlines.flatMap(({ file, groups, at }) => {
    const place = ({ message, ...where }: Fault): Problem => ({ file, ...at(where), message })
    const groupNames = new Map<string, string>()
    return groups.flatMap(({ path, keys, rules }) => {
      const faults = [
        ...unique(groupNames, keys, 'group', 'name', path, place),
        ...labelFaults(keys['labels'], [...path, 'labels']),
      ]
      const ruleProblems = rules.flatMap(rule => {
        count++
        // One sentence is enough, however many there are.
        if (count > rulesMax) return count === rulesMax + 1 ? [tooMany(rule.path)] : []
        return [
          ...unique(names, rule.keys, 'alert', 'alert', rule.path, place),
          ...unique(names, rule.keys, 'recording', 'record', rule.path, place),
          ...ruleFaults(rule.keys, rule.path),
          ...cron(rule.keys, rule.path),
          ...(has(rule.keys, 'expr') ? [{ path: [...rule.path, 'expr'], message: noExpressions }] : []),
          ...labelFaults(rule.keys['labels'], [...rule.path, 'labels']),
          ...templatedFaults(rule.keys, keys['labels'], rule.path),
        ]
      })
      return [...faults, ...ruleProblems].map(place)
    })
  })
}

const noExpressions = '"expr": expressions come with a later version of Holdfast; compare with above or below'

function tooMany(path: Path): Fault {
  return { path, message: `more than ${rulesMax} rules in all files` }
}

function unique(
  seen: Map<string, string>,
  keys: RuleOutline,
  what: string,
  key: string,
  path: Path,
  place: (fault: Fault) => Problem,
): Fault[] {
  const name = textOf(keys[key])
  if (name === undefined) return []
  const first = seen.get(name)
  if (first !== undefined) return [{ path: [...path, key], message: `${what} "${name}" is there already, at ${first}` }]
  const { file, line, column } = place({ path: [...path, key], message: '' })
  seen.set(name, `${file}:${line}:${column}`)
  return []
}

/** Expressions that many rules share are read once: each costs milliseconds. */
function cronChecker(zoneDefault: string): (rule: RuleOutline, path: Path) => Fault[] {
  const known = new Map<string, { key: 'cron' | 'zone'; message: string } | undefined>()
  return (rule, path) => {
    if (!has(rule, 'schedule')) return []
    const said = rule['schedule']
    const form = mapOf(said)
    const cron = textOf(form ? form['cron'] : said)
    const zone = textOf(form?.['zone']) ?? zoneDefault
    if (cron === undefined) return []
    const key = JSON.stringify([cron, zone])
    if (!known.has(key)) known.set(key, cronFault(cron, zone))
    const fault = known.get(key)
    if (!fault) return []
    const at = form ? [...path, 'schedule', fault.key] : [...path, 'schedule']
    return [{ path: at, message: `"${form ? fault.key : 'schedule'}": ${fault.message}` }]
  }
}

const cronCharactersMax = 100
const zoneCharactersMax = 100

function cronFault(cron: string, zone: string): { key: 'cron' | 'zone'; message: string } | undefined {
  if (cron.length > cronCharactersMax) return { key: 'cron', message: `longer than ${cronCharactersMax} characters` }
  if (zone.length > zoneCharactersMax) return { key: 'zone', message: `longer than ${zoneCharactersMax} characters` }
  const compiled = compileInstants(cron, zone)
  return compiled.ok ? undefined : { key: compiled.key === 'zone' ? 'zone' : 'cron', message: compiled.reason }
}
