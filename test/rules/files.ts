/** Rule files for tests: read, or refused with their sentences. */
import assert from 'node:assert/strict'
import { parseRules } from '../../rules/language/file.ts'
import type { AlertRule, Rule } from '../../rules/rule.ts'
import { formatProblem } from '../../runtime/document.ts'

const filesOf = (texts: readonly string[]) => texts.map((text, index) => ({ file: `r${index + 1}.yaml`, text }))

export function allRules(...texts: string[]): readonly Rule[] {
  const parsed = parseRules(filesOf(texts))
  assert.ok(parsed.ok, parsed.ok ? '' : parsed.problems.map(formatProblem).join('\n'))
  return parsed.rules
}

export function rules(...texts: string[]): readonly AlertRule[] {
  return allRules(...texts).filter(rule => rule.kind === 'alert')
}

export function problems(...texts: string[]): string[] {
  const parsed = parseRules(filesOf(texts))
  return parsed.ok ? [] : parsed.problems.map(formatProblem)
}

/** A file of one rule whose lines begin at line 4, column 9. */
export function one(...lines: string[]): string {
  return [
    'groups:',
    '  - name: g',
    '    rules:',
    `      - ${lines[0]}`,
    ...lines.slice(1).map(l => `        ${l}`),
  ].join('\n')
}
