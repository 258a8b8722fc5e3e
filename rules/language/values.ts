/**
 * The values that stand in rule files, each with the sentence that a wrong one is answered with: durations, sizes, names,
 * patterns, limits, labels. Only what can be said of one value alone.
 */
import { z } from 'zod'
import { formatDuration, parseDurationMs, parseSizeBytes } from '../../runtime/units.ts'
import {
  annotationCharactersMax,
  labelCharactersMax,
  nameCharactersMax,
  snippetBytesMax,
  snippetBytesMin,
} from '../limits.ts'
import { placeholderFault } from '../match.ts'

export const tableDefault = 'readings'
export const limitTableDefault = 'thresholds'

export function duration({ min = 0, max }: { readonly min?: number; readonly max: number }): z.ZodString {
  return z
    .string({ error: 'a duration such as 30s, 5m or 1h30m' })
    .refine(text => parseDurationMs(text) !== undefined, {
      error: 'not a duration; write it as 30s, 5m or 1h30m',
      abort: true,
    })
    .refine(text => (parseDurationMs(text) ?? 0) <= max, { error: `longer than ${formatDuration(max)}` })
    .refine(text => (parseDurationMs(text) ?? min) >= min, { error: `shorter than ${formatDuration(min)}` })
    .meta({ pattern: '^(0|([0-9]+([.][0-9]+)?(ms|[smhdw]))+)$' })
}

export const size = z
  .union([z.string(), z.number()], { error: 'a size such as 48KiB' })
  .refine(value => parseSizeBytes(String(value)) !== undefined, {
    error: 'not a size; write it as 48KiB or 50000',
    abort: true,
  })
  .refine(
    value => {
      const bytes = parseSizeBytes(String(value)) ?? 0
      return bytes >= snippetBytesMin && bytes <= snippetBytesMax
    },
    { error: `must be from ${snippetBytesMin} to ${snippetBytesMax} bytes` },
  )

export const tableName = z
  .string({ error: 'the name of a table' })
  .regex(/^[A-Za-z_][A-Za-z0-9_.-]{0,63}$/, { error: 'not the name of a table: letters, digits, _ . and -' })

export const name = z
  .string({ error: 'a text; put quotes around numbers, and around a pattern that begins with *' })
  .min(1, { error: 'empty; write "*" for any' })
  .max(nameCharactersMax, { error: `longer than ${nameCharactersMax} characters` })

export const plainPattern = z
  .string({
    error: ({ input }) =>
      Array.isArray(input)
        ? 'one pattern, not a list: write a rule for each, or give the devices a label and match that'
        : 'a text; put quotes around numbers, and around a pattern that begins with *',
  })
  .min(1, { error: 'empty; write "*" for any' })
  .max(nameCharactersMax, { error: `longer than ${nameCharactersMax} characters` })
  .refine(text => !/[{}]/.test(text), {
    error: 'no placeholders here: this is the place that chooses the series; * stands for any run of characters',
  })
  // It would match nothing, and nobody would know. A dot and a star may stand in a pattern: line-1.*
  .refine(text => !/\.\+|\][*+]|\\[dws.]|^\^|\$$|.\|./.test(text), {
    error: 'looks like a regular expression: a pattern knows only *, any run of characters',
  })

export function withPlaceholders(text: z.ZodString): z.ZodString {
  return text.superRefine((value, context) => {
    const fault = placeholderFault(value)
    if (fault !== undefined) context.addIssue({ code: 'custom', message: fault })
  })
}

/** Keys that people know from elsewhere: refused, each with its own sentence. Editors are not offered them. */
export function refused(sentence: string): z.ZodOptional<z.ZodNever> {
  return z.never({ error: sentence }).optional()
}

const number = z.number({ error: 'a number' })

export const limitRow = z.strictObject({
  table: tableName.optional().describe(`The records table that holds the limit; default ${limitTableDefault}.`),
  key: withPlaceholders(name).describe('The row; {device} and {metric} stand for those of the reading.'),
  field: name.optional().describe('The field of the row that holds the number; left out if the row is the number.'),
  default: number.optional().describe('Used while the row is missing; without it the rule waits for the row.'),
})

export const limit = z.union([number, limitRow], {
  error: 'a number, or { table: thresholds, key: "{device}/{metric}", field: max, default: 8 }',
})

export type LimitEntry = z.infer<typeof limit>

/** How long an expression may be is the business of whoever reads it. */
export const expression = z
  .string({ error: 'an expression, such as value > 80 && rate(5m) > 0.1' })
  .min(1, { error: 'empty; write an expression, such as value > 80' })

export const labelText = z
  .string({ error: 'a text; put quotes around numbers and true or false' })
  .max(labelCharactersMax, { error: `longer than ${labelCharactersMax} characters` })

export const labels = z.record(z.string(), labelText, {
  error: 'names and texts, such as { severity: critical }',
})

export const annotations = z.record(
  z.string(),
  z
    .string({ error: 'a text' })
    .max(annotationCharactersMax, { error: `longer than ${annotationCharactersMax} characters` }),
  { error: 'names and texts, such as { summary: "{{ $labels.device }} is at {{ $value }}" }' },
)
