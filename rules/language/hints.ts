/**
 * What people write in expressions who come from somewhere else: PromQL, SQL, templates, or plain English. Pure. Asked where
 * an expression was refused, so that what is written by mistake is named, and not the character where reading it ended; and
 * of good ones, where a text is compared with something that it never is.
 */
import type { ExpressionFault } from '../expression/faults.ts'
import { textCharactersMax } from '../expression/limits.ts'
import { questionNames } from '../expression/questions.ts'

type Hint = readonly [pattern: RegExp, message: (found: string) => string]

/** Patterns are without repetition inside repetition: each is searched in time linear in the text. */
const habits: readonly Hint[] = [
  [/\{\{|\$\w/, () => 'variables of templates have no place here: write value, device or metric'],
  [/=~|!~/, () => 'regular expressions are not supported: use startsWith, endsWith, contains, or =='],
  [
    /\[\d{1,9}(?:ms|[smhdw])\]/,
    found => `write the window as an argument, as in avg(${found.slice(1, -1)}); which series it is about, match says`,
  ],
  [/\band\b/i, () => 'write && for "and"'],
  [/\bor\b/i, () => 'write || for "or"'],
  [/\bnot\b/i, () => 'write ! for "not", as in !(value > 3)'],
  [/<>/, () => 'write != for "is not"'],
  [/=>/, () => 'write >= for "at least"'],
  [/=</, () => 'write <= for "at most"'],
  [/[\d)]\s?%/, () => 'leave the % away: numbers are compared as they come'],
]

/** Signs of the language by the names that its parser has for them. */
const signs: ReadonlyMap<string, string> = new Map([
  ['RPAREN', ')'],
  ['LPAREN', '('],
  ['RBRACKET', ']'],
  ['RBRACE', '}'],
  ['COLON', ':'],
  ['COMMA', ','],
  ['EOF', 'the end'],
  ['IDENTIFIER', 'a name'],
  ['NUMBER', 'a number'],
  ['STRING', 'a text'],
])

/** The fault that a person would name. */
export function plainFault(text: string, fault: ExpressionFault): ExpressionFault {
  if (text.length > textCharactersMax) return fault
  const bare = withoutTexts(text)
  for (const [pattern, message] of habits) {
    const found = pattern.exec(bare)
    if (found) return { message: message(found[0]), offset: found.index }
  }
  const [, wanted = '', got = ''] = /^expected (\w+), got (\w+)$/.exec(fault.message) ?? []
  if (wanted !== '') {
    return { ...fault, message: `here must be ${signs.get(wanted) ?? wanted}, not ${signs.get(got) ?? got}` }
  }
  const name = /^unknown name "(\w+)"; known/.exec(fault.message)?.[1]
  if (name === undefined) return fault
  if (questionNames.has(name)) return { ...fault, message: `"${name}" is a function: write ${name}(…)` }
  const hint = `a metric is chosen by match: { metric: ${name} }, and what it measures is called value`
  return { ...fault, message: `${fault.message}; ${hint}` }
}

const weekdays = ['mon', 'tue', 'wed', 'thu', 'fri', 'sat', 'sun']

/** Comparisons that never come true, and are no faults of the language. */
export function neverTrue(text: string): ExpressionFault | undefined {
  const said = /\bweekday\(\) ?(?:[=!]=|in) ?\[?(["'a-z, ]{1,200})/g
  for (const { index, 1: list = '' } of text.matchAll(said)) {
    const wrong = [...list.matchAll(/["']([a-z]{1,20})["']/g)].find(([, day = '']) => !weekdays.includes(day))
    if (wrong) return { message: `there is no weekday "${wrong[1]}": they are ${weekdays.join(', ')}`, offset: index }
  }
  for (const { index, 1: time = '' } of text.matchAll(/\btime_of_day\(\) ?[=!<>]=? ?["']([^"']{0,20})["']/g)) {
    if (!/^([01]\d|2[0-4]):[0-5]\d$/.test(time))
      return { message: `"${time}" is no time of day: write it as 06:30`, offset: index }
  }
  return undefined
}

/** Texts in quotes blanked out: what stands in them is nobody's mistake. */
function withoutTexts(text: string): string {
  return text.replaceAll(
    /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g,
    quoted => quoted[0] + ' '.repeat(Math.max(quoted.length - 2, 0)) + quoted[0],
  )
}
