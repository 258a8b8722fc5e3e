/**
 * Topic patterns of routes: `sensors/{device}/{metric}`. A level in braces is named and matches one level, `+` matches one
 * level unnamed, a last `#` matches the rest (and its parent, as in MQTT). Matching is by position, never by regular
 * expression, so no topic can make it slow. Routes are tried in the order of the file: the first match wins.
 */
import type { Levels } from './adapter.ts'

export type TopicPattern = {
  readonly text: string
  /** The names in braces, in order. */
  readonly names: readonly string[]
  /** What the named levels matched, or undefined if the topic is another. */
  match(topic: string): Levels | undefined
}

export type CompiledPattern =
  | { readonly ok: true; readonly pattern: TopicPattern }
  | { readonly ok: false; readonly reason: string }

type Step = { kind: 'exact'; text: string } | { kind: 'any'; name: string | undefined }

/** MQTT's own limit is 65,535 bytes; a pattern is written by hand. */
const patternCharactersMax = 512
const levelName = /^[a-z][a-z0-9_]*$/

export function compileTopic(text: string): CompiledPattern {
  const fault = patternFault(text)
  if (fault) return { ok: false, reason: fault }
  const levels = text.split('/')
  const open = levels.at(-1) === '#'
  const steps: Step[] = (open ? levels.slice(0, -1) : levels).map(level => {
    if (level === '+') return { kind: 'any', name: undefined }
    return level.startsWith('{') ? { kind: 'any', name: level.slice(1, -1) } : { kind: 'exact', text: level }
  })
  const names = steps.flatMap(step => (step.kind === 'any' && step.name !== undefined ? [step.name] : []))
  return { ok: true, pattern: { text, names, match: topic => matchSteps(steps, open, topic) } }
}

function patternFault(text: string): string | undefined {
  if (text === '') return 'the topic is empty'
  if (text.length > patternCharactersMax) return `the topic is longer than ${patternCharactersMax} characters`
  if (/\p{Cc}/u.test(text)) return 'the topic holds a control character'
  const levels = text.split('/')
  const names = new Set<string>()
  for (const [index, level] of levels.entries()) {
    if (level === '#' && index < levels.length - 1)
      return '"#" matches all that follows, so it may only be the last level'
    if (level === '#' || level === '+') continue
    if (/[#+]/.test(level)) return `"${level}": "+" and "#" must be a level of their own`
    if (!/[{}]/.test(level)) continue
    const name = /^\{([^{}]*)\}$/.exec(level)?.[1]
    if (name === undefined) return `"${level}": a name in braces must fill its level, as in sensors/{device}`
    if (!levelName.test(name)) {
      return `"${level}": a name in braces begins with a small letter and goes on with small letters, digits or _`
    }
    if (names.has(name)) return `"{${name}}" stands twice in the topic`
    names.add(name)
  }
  return undefined
}

function matchSteps(steps: readonly Step[], open: boolean, topic: string): Levels | undefined {
  // Topics that begin with $ are the broker's own; a wildcard does not reach them [MQTT-4.7.2-1].
  if (topic.startsWith('$') && steps[0]?.kind !== 'exact') return undefined
  const named = new Map<string, string>()
  let from = 0
  for (const step of steps) {
    // `from` stands behind the slash that ended the level before; past the end means that the topic is shorter.
    if (from > topic.length) return undefined
    const slash = topic.indexOf('/', from)
    const end = slash === -1 ? topic.length : slash
    if (step.kind === 'exact') {
      if (end - from !== step.text.length || !topic.startsWith(step.text, from)) return undefined
    } else if (step.name !== undefined) {
      named.set(step.name, topic.slice(from, end))
    }
    from = end + 1
  }
  return open || from > topic.length ? named : undefined
}
