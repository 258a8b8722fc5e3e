/**
 * The result of a test as lines for people: one line where all went well; where not, what was looked at, what was expected,
 * what was there instead, and how near it was. Pure.
 */
import type { Difference, Failure } from '../../../rules/scenario/failure.ts'
import { type Paint, printable } from '../terminal.ts'

type Result = { readonly name: string; readonly ok: boolean }

/** Of a list of differences that goes on and on, the first ones say it. */
const differencesMax = 8
const failuresMax = 20

export function testLine({ name, ok }: Result, paint: Paint): string {
  return `  ${ok ? paint('green', '✓') : paint('red', '✗')} ${printable(name)}\n`
}

export function failureLines(failures: readonly Failure[], paint: Paint): string {
  const shown = failures.slice(0, failuresMax)
  const lines = shown.flatMap((failure, index) => {
    const before = shown[index - 1]
    const isSame = before && before.evalMs === failure.evalMs && before.about === failure.about
    const chart = failure.chart === undefined ? [] : [paint('dim', `    ${printable(failure.chart)}`)]
    return [...(isSame ? [] : [paint('bold', headOf(failure))]), ...bodyOf(failure, paint), ...chart]
  })
  if (failures.length > shown.length) lines.push(`and ${failures.length - shown.length} more`)
  return lines.map(line => `      ${line}\n`).join('')
}

export function summaryLine(results: readonly Result[], paint: Paint): string {
  const failed = results.filter(({ ok }) => !ok).length
  const count = results.length === 1 ? '1 test' : `${results.length} tests`
  return failed === 0 ? `${paint('green', `${count} passed`)}\n` : `${paint('red', `${failed} of ${count} failed`)}\n`
}

function headOf({ evalTime, about }: Failure): string {
  return printable(`at ${evalTime}${about === undefined ? '' : `, ${about}`}:`)
}

function bodyOf({ kind, what, differences, hint }: Failure, paint: Paint): string[] {
  const hinted = hint === undefined ? '' : `: ${printable(hint)}`
  if (kind === 'missing') return [`${paint('red', '-')} ${printable(what)} is missing${hinted}`]
  if (kind === 'unexpected') return [`${paint('yellow', '+')} ${printable(what)} is not expected${hinted}`]
  const shown = differences.slice(0, differencesMax)
  const width = Math.max(...shown.map(({ field }) => field.length))
  const more =
    differences.length > shown.length ? [`    and ${differences.length - shown.length} more differences`] : []
  return [
    `${paint('red', '≠')} ${printable(what)}${hint === undefined ? '' : paint('dim', ` (${printable(hint)})`)}`,
    ...shown.flatMap(difference => differenceLines(difference, width, paint)),
    ...more,
  ]
}

/** On one line where it fits, as texts of annotations seldom do. */
function differenceLines({ field, expected, was, hint }: Difference, width: number, paint: Paint): string[] {
  const name = printable(field).padEnd(width)
  const after = hint === undefined ? '' : paint('dim', ` (${printable(hint)})`)
  const [wanted, there] = [paint('green', printable(expected)), paint('red', printable(was))]
  if (expected.length + was.length <= 60) return [`    ${name}  expected ${wanted}, was ${there}${after}`]
  const indent = ' '.repeat(width + 4)
  return [`    ${name}  expected ${wanted}`, `${indent}       was ${there}${after}`]
}

/** What is running, for a terminal: how far it is, and the name of the test. */
export function progressLine(done: number, of: number, name: string, paint: Paint): string {
  const cells = 20
  const filled = Math.floor((done / of) * cells)
  const bar = paint('green', '━'.repeat(filled)) + paint('dim', '─'.repeat(cells - filled))
  return `  ${bar} ${done + 1} of ${of} ${paint('dim', printable(name).slice(0, 60))}`
}
