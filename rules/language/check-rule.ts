/**
 * Keys of one rule that contradict each other: two conditions, an end on the wrong side, a recording that latches. Each is
 * a sentence that says which of the two to change. Pure.
 */
import { nearestName, type Path } from '../../runtime/document.ts'
import { parseDurationMs } from '../../runtime/units.ts'
import { type Fault, has, mapOf, type RuleOutline, textOf } from './outline.ts'
import { alertKeys, ruleKeys } from './schema.ts'

export function ruleFaults(rule: RuleOutline, path: Path): Fault[] {
  const isRecording = has(rule, 'record') && !has(rule, 'alert')
  return [
    ...kindFaults(rule, path),
    ...(isRecording ? recordingFaults(rule, path) : [...conditionFaults(rule, path), ...limitFaults(rule, path)]),
    ...momentFaults(rule, path),
    ...flappingFaults(rule, path),
    ...subjectFaults(rule, path),
    ...severityFaults(rule, path),
  ]
}

function kindFaults(rule: RuleOutline, path: Path): Fault[] {
  if (has(rule, 'alert') && has(rule, 'record')) {
    return [onKey(path, 'record', 'a rule is an alert or a recording, not both: make two rules')]
  }
  if (has(rule, 'into') && !has(rule, 'record')) return [onKey(path, 'into', 'only a recording writes readings')]
  if (has(rule, 'alert') || has(rule, 'record') || meant(rule, ['alert', 'record'])) return []
  return [{ path, message: 'the key "alert" is missing (or "record", for a recording)' }]
}

function recordingFaults(rule: RuleOutline, path: Path): Fault[] {
  const faults = alertKeys
    .filter(key => has(rule, key))
    .map(key => onKey(path, key, 'not for a recording, which raises no alert'))
  if (has(rule, 'expr') || meant(rule, ['expr'])) return faults
  return [...faults, { path, message: 'the key "expr" is missing: it says what the recording writes' }]
}

/** A rule has exactly one condition. */
function conditionFaults(rule: RuleOutline, path: Path): Fault[] {
  const conditions = ['above', 'below', 'expr', 'absent'].filter(key => has(rule, key))
  if (conditions.length === 0) {
    if (meant(rule, ['above', 'below', 'expr', 'absent'])) return []
    const message =
      'the rule has no condition: above or below (a limit), expr (true while violated) or absent (no reading for so long)'
    return [{ path, message }]
  }
  if (!has(rule, 'absent')) return []
  const faults = conditions
    .filter(key => key !== 'absent')
    .map(key => onKey(path, key, 'a rule has one condition, and this one has absent: make two rules'))
  if (!has(rule, 'clear')) return faults
  return [...faults, onKey(path, 'clear', 'silence ends with the next reading: leave clear out')]
}

function limitFaults(rule: RuleOutline, path: Path): Fault[] {
  const { above, below, clear } = rule
  const faults: Fault[] = []
  if (typeof above === 'number' && typeof below === 'number' && below > above) {
    const message = `"below": ${below} is greater than above (${above}): every value would be outside the band`
    faults.push({ path: [...path, 'below'], message })
  }
  if (clear === undefined || has(rule, 'absent')) return faults
  return [...faults, ...clearFaults(rule, clear).map(message => ({ path: [...path, 'clear'], message }))]
}

function clearFaults(rule: RuleOutline, clear: unknown): string[] {
  const { above, below } = rule
  const isLimit = typeof clear === 'number' || mapOf(clear) !== undefined
  if (has(rule, 'above') && has(rule, 'below')) {
    return ['"clear": only with exactly one of above and below; a band clears inside its limits']
  }
  if (!has(rule, 'above') && !has(rule, 'below')) {
    if (!has(rule, 'expr') || !isLimit) return []
    return ['"clear": where expr alone is the condition, clear is an expression too, such as value < 70']
  }
  if (typeof clear === 'string') {
    const isNumber = clear.trim() !== '' && Number.isFinite(Number(clear))
    return [`"clear": with above or below it is a number or a row${isNumber ? ': leave the quotes out' : ''}`]
  }
  if (typeof clear !== 'number') return []
  if (typeof above === 'number' && clear > above) {
    return [`"clear": ${clear} is greater than above (${above}); the alert would clear while it is violated`]
  }
  if (typeof below === 'number' && clear < below) {
    return [`"clear": ${clear} is smaller than below (${below}); the alert would clear while it is violated`]
  }
  return []
}

function momentFaults(rule: RuleOutline, path: Path): Fault[] {
  const faults: Fault[] = []
  if (has(rule, 'interval') && has(rule, 'schedule')) {
    faults.push(onKey(path, 'schedule', 'interval says already when the rule is judged: keep one of them'))
  }
  if (!has(rule, 'absent') || has(rule, 'record')) return faults
  const needless = ['interval', 'schedule'].filter(key => has(rule, key))
  return [...faults, ...needless.map(key => onKey(path, key, 'silence is found at its own moment: leave it out'))]
}

/** Alerts that each take `for` to fire cannot come so fast. */
function flappingFaults(rule: RuleOutline, path: Path): Fault[] {
  const { changes, within } = mapOf(rule['flapping']) ?? {}
  const [holdText, withinText] = [textOf(rule['for']), textOf(within)]
  const [holdMs, withinMs] = [holdText, withinText].map(text =>
    text === undefined ? undefined : parseDurationMs(text),
  )
  if (typeof changes !== 'number' || holdMs === undefined || withinMs === undefined) return []
  if (changes * holdMs < withinMs) return []
  const message = `"flapping": each alert takes ${holdText} to fire, so there are never more than ${changes} within ${withinText}`
  return [{ path: [...path, 'flapping'], message }]
}

/** Names of one series, where the rule stands for many. */
function subjectFaults(rule: RuleOutline, path: Path): Fault[] {
  const per = rule['per']
  if (per !== 'device' && per !== 'all') return []
  const match = mapOf(rule['match']) ?? {}
  const isMany = (name: string): boolean => (textOf(match[name]) ?? '*').includes('*')
  const unknown = [...(per === 'all' ? ['device'] : []), 'metric'].filter(isMany)
  const snippet = mapOf(mapOf(rule['snippet'])?.['match'])
  const texts: [place: Path, text: string | undefined][] = [
    ...['above', 'below', 'clear'].map((key): [Path, string | undefined] => [
      [...path, key, 'key'],
      textOf(mapOf(rule[key])?.['key']),
    ]),
    ...['device', 'metric'].map((key): [Path, string | undefined] => [
      [...path, 'snippet', 'match', key],
      textOf(snippet?.[key]),
    ]),
  ]
  return texts.flatMap(([place, text]) =>
    unknown
      .filter(name => text?.includes(`{${name}}`))
      .map(name => ({
        path: place,
        message: `"${String(place.at(-1))}": per: ${per} stands for many of them at once, so there is no one {${name}}`,
      })),
  )
}

function severityFaults(rule: RuleOutline, path: Path): Fault[] {
  if (!has(rule, 'severity') || !has(mapOf(rule['labels']) ?? {}, 'severity')) return []
  return [onKey(path, 'severity', 'stands in labels too: keep one of them')]
}

function onKey(path: Path, key: string, reason: string): Fault {
  return { path: [...path, key], message: `"${key}": ${reason}`, onKey: true }
}

/** More keys than a rule can have: the rest of a file that is all keys need not be read. */
const keysLookedAt = 64

/** A key that was meant to be one of these has been named as unknown, with the nearest known one. */
function meant(rule: RuleOutline, wanted: readonly string[]): boolean {
  return Object.keys(rule)
    .slice(0, keysLookedAt)
    .some(key => !ruleKeys.includes(key) && wanted.includes(nearestName(key, ruleKeys) ?? ''))
}
