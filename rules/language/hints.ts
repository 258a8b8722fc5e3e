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
  [
    /\b(?:by|without|on|ignoring)\s{0,9}\(/i,
    () => 'what is taken together is said by per: device or per: all of the rule',
  ],
  [
    /\b[A-Za-z_:][\w:]{0,99}\s{0,9}\{/,
    () => 'which series it is about, match says: match: { device: "pump-*", metric: flow }',
  ],
  [/\boffset\s/i, () => 'offset is not supported: every window ends now'],
  [/\bunless\b/i, () => 'write && !(…) for "unless"'],
  [/[<>=]\s{0,9}bool\b/, () => 'leave "bool" away: a comparison is true or false'],
  [/\bfor\s{1,9}\d/i, () => 'write how long as a key of the rule, such as for: 10m'],
  [/\b\d\d?:\d\d\b/, () => 'write a time of day as a text, as in time_of_day() >= "06:30"'],
  [/[^|]\|[^|]/, () => 'there are no filters here; "or" is written ||'],
  [/\band\b/i, () => 'write && for "and"'],
  [/\bor\b/i, () => 'write || for "or"'],
  [/\bnot\b/i, () => 'write ! for "not", as in !(value > 3)'],
  [/<>/, () => 'write != for "is not"'],
  [/=>/, () => 'write >= for "at least"'],
  [/=</, () => 'write <= for "at most"'],
  [/[\d)]\s?%/, () => 'leave the % away: numbers are compared as they come'],
]

/** Functions of PromQL and of templates by what they are here. */
const foreign: ReadonlyMap<string, string> = new Map([
  ['increase', 'delta(5m)'],
  ['idelta', 'delta()'],
  ['irate', 'rate(5m)'],
  ['deriv', 'rate(5m)'],
  ['timestamp', 'time, or age() for the seconds since the last reading'],
  ['time', 'time, or age() for the seconds since the last reading'],
  ['now', 'time, hour() or time_of_day()'],
  ['day_of_week', 'weekday(), as in weekday() == "mon"'],
  ['states', 'value, or last("pump-2", "flow") for another series'],
  ['state_attr', 'value, or last("pump-2", "flow") for another series'],
  ['is_state', 'value == "open"'],
])

/** `avg_over_time` is avg. */
function overTime(call: string): string | undefined {
  const name = call.endsWith('_over_time') ? call.slice(0, -'_over_time'.length) : ''
  return questionNames.has(name) ? `${name}(5m)` : undefined
}

/** Signs of the language by the names that its parser has for them. */
const signs: ReadonlyMap<string, string> = new Map([
  ['RPAREN', ')'],
  ['LPAREN', '('],
  ['RBRACKET', ']'],
  ['RBRACE', '}'],
  ['LBRACE', '{'],
  ['LBRACKET', '['],
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
  const call = /^unknown function "(\w+)"; known/.exec(fault.message)?.[1]
  const ours = call === undefined ? undefined : (foreign.get(call) ?? overTime(call))
  if (ours !== undefined) return { ...fault, message: `unknown function "${call}": write ${ours}` }
  if (fault.message === "unexpected character: ','" && /\d,\d/.test(bare)) {
    return { ...fault, message: 'write the decimal point as a point, as in 3.5' }
  }
  const name = /^unknown name "(\w+)"; known/.exec(fault.message)?.[1]
  if (name === undefined) return fault
  if (questionNames.has(name)) return { ...fault, message: `"${name}" is a function: write ${name}(…)` }
  // What a value is compared with is rarely a metric: mostly it is a text without its quotes.
  if (/(?:[!=]=\s{0,9}|\[\s{0,9}|,\s{0,9})$/.test(bare.slice(0, fault.offset))) {
    return { ...fault, message: `unknown name "${name}"; if a device says so, it is a text: write "${name}" in quotes` }
  }
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
