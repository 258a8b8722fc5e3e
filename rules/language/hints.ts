/**
 * What people write in expressions who come from somewhere else: PromQL, SQL, templates, or plain English. Pure. Asked only
 * where an expression was refused, so that what is written by mistake is named, and not the character where reading ended.
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

/** Texts in quotes blanked out: what stands in them is nobody's mistake. */
function withoutTexts(text: string): string {
  return text.replaceAll(
    /"(?:[^"\\]|\\.)*"|'(?:[^'\\]|\\.)*'/g,
    quoted => quoted[0] + ' '.repeat(Math.max(quoted.length - 2, 0)) + quoted[0],
  )
}
