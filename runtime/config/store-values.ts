/** The kinds of values that keys about the disk have: how much of it stays free, and when the database is tidied. Pure. */
import { z } from 'zod'
import { compileInstants } from '../schedule.ts'
import { type FreeSpace, parseSizeBytes } from '../units.ts'
import { dayMs, durationText, words } from './values.ts'

/** Beyond half of it the database would be held to less than what it must leave to others. */
const percentMax = 50
const bytesMax = 10e12
const how = 'write a share of the disk such as 5%, or a size such as 256MB'

/** A percentage of the file system, or a size. */
export const freeSpace = z.union([z.string(), z.number()], how).transform((text, context): FreeSpace => {
  const [, percent] = /^(\d+(?:\.\d+)?)\s*%$/.exec(String(text)) ?? []
  const bytes = parseSizeBytes(String(text))
  if (percent !== undefined && Number(percent) <= percentMax) return { kind: 'share', share: Number(percent) / 100 }
  if (bytes !== undefined && bytes <= bytesMax) return { kind: 'bytes', bytes }
  const isKnown = percent !== undefined || bytes !== undefined
  context.addIssue({ code: 'custom', message: isKnown ? `must be at most ${percentMax}%, or 10000GB` : how })
  return z.NEVER
})
words.add(freeSpace, { type: 'share of the disk, up to 50%, or size' })

/** Periods that fill a day evenly, so that all that is asked for begins where they do. */
export const rollupPeriods = z
  .array(durationText({ min: 60_000, max: dayMs }))
  .max(8)
  .transform((periods, context): readonly number[] => {
    for (const [index, ms] of periods.entries()) {
      if (dayMs % ms !== 0 || ms % 1000 !== 0)
        context.addIssue({
          code: 'custom',
          path: [index],
          message: 'must fill a day evenly, such as 1m, 15m, 1h or 1d',
        })
      if (periods.indexOf(ms) < index) context.addIssue({ code: 'custom', path: [index], message: 'is there already' })
    }
    return periods.toSorted((a, b) => a - b)
  })
words.add(rollupPeriods, { type: 'list of durations that fill a day evenly, 1m to 1d' })

/** A cron expression of five fields. */
export const cronExpression = z.string().superRefine((text, context) => {
  const compiled = compileInstants(text, 'UTC')
  if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.reason })
})
words.add(cronExpression, { type: 'cron expression' })

/** A cron expression of five fields, or `off`. */
export const cronOrOff = z.string().transform((text, context): string | undefined => {
  if (text === 'off') return undefined
  const compiled = compileInstants(text, 'UTC')
  if (!compiled.ok) context.addIssue({ code: 'custom', message: `${compiled.reason}; or "off"` })
  return text
})
words.add(cronOrOff, { type: 'cron expression, or off' })
