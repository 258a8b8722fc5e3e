/**
 * Durations inside of expressions: `avg(5m)`. CEL has no such literal, so each is replaced by a name of the same length
 * before the text is parsed: every offset into what was parsed is an offset into what was written. Never inside of texts in
 * quotes or comments.
 */
import { parseDurationMs } from '../../runtime/units.ts'
import type { ExpressionFault } from './faults.ts'

/** What a text or a comment is to the expression language; a name, so that `m5m` is not cut; and what begins with a digit. */
const pieces = new RegExp(
  [
    // A backslash hides what follows it from the library even in r"…", so it does here.
    /[bBrR]?(?:"""(?:\\[^]|(?!""")[^\\])*"""|'''(?:\\[^]|(?!''')[^\\])*''')/,
    /[bBrR]?(?:"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*')/,
    /\/\/[^\n]*/,
    /[A-Za-z_]\w*/,
    /(?<number>\d\w*(?:\.\d\w*)*)/,
  ]
    .map(piece => piece.source)
    .join('|'),
  'g',
)

/** Numbers that CEL itself can read: 80, 80.5, 0x1F, 1e6, 5u. */
const plainNumber = /^(?:0[xX][0-9a-fA-F]+[uU]?|\d+[uU]?|\d+(?:\.\d+)?(?:[eE]\d*)?)$/

export type Durationless =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly fault: ExpressionFault }

/** The same text with a name in the place of each duration. */
export function replaceDurations(text: string): Durationless {
  let fault: ExpressionFault | undefined
  const replaced = text.replace(pieces, (piece: string, ...rest: unknown[]) => {
    const offset = rest.find(argument => typeof argument === 'number') ?? 0
    const number = (rest.at(-1) as { readonly number?: string } | undefined)?.number
    if (number === undefined || plainNumber.test(number)) return piece
    if (parseDurationMs(number) !== undefined) return `_${number.slice(1).replaceAll('.', '_')}`
    fault ??= { message: `"${number}" is neither a number nor a duration: write durations as 30s, 5m or 1h30m`, offset }
    return piece
  })
  return fault ? { ok: false, fault } : { ok: true, text: replaced }
}
