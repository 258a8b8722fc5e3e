/** The keys of `broker.limits`, made from the list of limits that the broker has. */
import type { z } from 'zod'
import { type BrokerLimitKey, type LimitEntry, brokerLimitKeys } from '../broker-limits.ts'
import { count, durationMs, optionalDurationMs, sizeBytes, withWords } from './values.ts'

/** Each may be left out: TypeScript need not know that most then have a default. */
type Shape = { readonly [Key in BrokerLimitKey]: z.ZodOptional<z.ZodType<number, number | string>> }

export const brokerLimitShape = Object.fromEntries(
  Object.entries(brokerLimitKeys).map(([key, entry]) => [key, valueOf(entry).describe(entry.sentence)]),
) as unknown as Shape

function valueOf({ kind, min, max, fallback }: LimitEntry): z.ZodType<number | undefined> {
  if (fallback === 'never') return withWords(optionalDurationMs({ min, max }), { fallback })
  if (kind === 'count') return count({ min, max, fallback: Number(fallback) })
  return kind === 'size' ? sizeBytes({ min, max, fallback }) : durationMs({ min, max, fallback })
}
