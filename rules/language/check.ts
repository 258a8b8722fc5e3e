/**
 * What the form of a rule file cannot say: things that hold between two values of a rule, between a rule and its group,
 * and between files. Pure. Looks at outlines, so these problems are found in the same pass as those of form.
 */
import type { Path, Problem } from '../../runtime/document.ts'
import { rulesMax } from '../limits.ts'
import { ruleFaults } from './check-rule.ts'
import { scheduleCheck } from './check-schedule.ts'
import { labelFaults, templatedFaults } from './check-texts.ts'
import { type Expressions, expressionFaults } from './expressions.ts'
import { type Fault, type FileOutline, type RuleOutline, textOf } from './outline.ts'
import { circleFaults, recordingOf } from './recordings.ts'

/** The problems of all files together, because the name of an alert is unique over all of them. */
export function checkOutlines(outlines: readonly FileOutline[], zone: string, expressions: Expressions): Problem[] {
  const names: Seen = new Map()
  const schedule = scheduleCheck(zone)
  let count = 0
  const own = outlines.flatMap(({ file, groups, at }) => {
    const place = ({ message, ...where }: Fault): Problem => ({ file, ...at(where), message })
    const groupNames: Seen = new Map()
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
          ...schedule(rule.keys, rule.path),
          ...expressionFaults(rule.keys, rule.path, expressions),
          ...labelFaults(rule.keys['labels'], [...rule.path, 'labels']),
          ...templatedFaults(rule.keys, keys['labels'], rule.path),
        ]
      })
      return [...faults, ...ruleProblems].map(place)
    })
  })
  return [...own, ...circleProblems(outlines)]
}

function circleProblems(outlines: readonly FileOutline[]): Problem[] {
  const all = outlines.flatMap(({ file, at, groups }) =>
    groups.flatMap(({ rules }) =>
      rules.flatMap(({ keys, path }) => {
        const recording = recordingOf(keys, path)
        return recording ? [{ file, at, recording }] : []
      }),
    ),
  )
  const faults = circleFaults(all.map(({ recording }) => recording))
  return all.flatMap(({ file, at }, index) => {
    const { message, ...place } = faults[index] ?? { message: undefined, path: [] }
    return message === undefined ? [] : [{ file, ...at(place), message }]
  })
}

function tooMany(path: Path): Fault {
  return { path, message: `more than ${rulesMax} rules in all files` }
}

/** Where each name stands first, found out only where it stands twice. */
type Seen = Map<string, () => string>

function unique(
  seen: Seen,
  keys: RuleOutline,
  what: string,
  key: string,
  path: Path,
  place: (fault: Fault) => Problem,
): Fault[] {
  const name = textOf(keys[key])
  if (name === undefined) return []
  const first = seen.get(name)
  if (first !== undefined)
    return [{ path: [...path, key], message: `${what} "${name.slice(0, 100)}" is there already, at ${first()}` }]
  seen.set(name, () => {
    const { file, line, column } = place({ path: [...path, key], message: '' })
    return `${file}:${line}:${column}`
  })
  return []
}
