/**
 * Which topics patterns allow. A pattern is an MQTT filter; a filter that a client asks for is allowed only if every topic
 * that it can match is allowed by one pattern or another [A3]. Pure.
 *
 * A topic is a filter without wildcards, so that one question serves both: may this client publish here, may it subscribe
 * to that.
 */

/** A pattern by its levels. */
export type Pattern = readonly string[]

export const patternOf = (text: string): Pattern => text.split('/')

/**
 * Is every topic that `filter` matches matched by one of `patterns`?
 *
 * Level by level, with the patterns that still fit. A wildcard of the filter stands for any level, and the worst of them
 * is one that no pattern names: it leaves only those that have a wildcard there too.
 */
export function covers(patterns: readonly Pattern[], filter: string): boolean {
  const levels = filter.split('/')
  const [first = ''] = levels
  // Wildcards at the first level never match a `$` topic [MQTT-4.7.2-1].
  let fitting = first.startsWith('$') ? patterns.filter(([head]) => head === first) : patterns
  for (let at = 0; at < levels.length; at++) {
    const level = levels[at]
    if (level === '#') return coversTheRest(fitting, at)
    fitting = fitting.filter(pattern => fitsAt(pattern, at, level === '+' ? undefined : level))
    if (fitting.length === 0) return false
  }
  return fitting.some(pattern => endsAt(pattern, levels.length))
}

/** Does the pattern go on with this level? `undefined`: one that no pattern names. */
function fitsAt(pattern: Pattern, at: number, level: string | undefined): boolean {
  if (isOpenBefore(pattern, at)) return true
  const own = pattern[at]
  return own === '+' || own === '#' || (own !== undefined && own === level)
}

/** A `#` of the pattern has taken what is before this place, and takes all that follows. */
const isOpenBefore = (pattern: Pattern, at: number): boolean => pattern.length <= at && pattern.at(-1) === '#'

/** Does the pattern match a topic of so many levels, of which all have fitted? `a/#` matches `a` too. */
function endsAt(pattern: Pattern, length: number): boolean {
  if (pattern.at(-1) !== '#') return pattern.length === length
  return length >= pattern.length - 1
}

/** `#` of a filter stands for no level (but for the first), one, two, ...: beyond the longest pattern nothing changes. */
function coversTheRest(patterns: readonly Pattern[], from: number): boolean {
  const longest = patterns.reduce((most, { length }) => Math.max(most, length), from)
  let fitting = patterns
  for (let length = from; length <= longest + 1; length++) {
    if (length > from) fitting = fitting.filter(pattern => fitsAt(pattern, length - 1, undefined))
    if (length > 0 && !fitting.some(pattern => endsAt(pattern, length))) return false
  }
  return true
}
