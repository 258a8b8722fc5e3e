/**
 * What is asked of the readings of a table, read out of the parameters of a request and checked: one sentence for what is
 * wrong, with the name of the parameter. Pure.
 *
 *   every question    device= metric= origin= unit= from= to= where=
 *   readings          order= limit= or page= cursor= (walk.ts)
 *   aggregate         every= fn= fill= zone=
 */
import { nearestName } from '../document.ts'
import { HoldfastError } from '../errors.ts'
import { type BucketFunction, bucketFunctions } from '../store/buckets.ts'
import type { Fill } from '../store/fill.ts'
import { type Intervals, intervalsOf, oneInterval } from '../store/intervals.ts'
import type { SeriesQuery } from '../store/questions.ts'
import type { Order, ReadingTest } from '../store/types.ts'
import { parseDurationMs } from '../units.ts'
import { filledRowsMax } from './limits.ts'
import { parseTimeMs, shown } from './parameters.ts'

/** Compiles a text in the expression language of rules. Throws BAD_ARGUMENT with the place of what is wrong. */
export type WhereDoor = (text: string) => ReadingTest

export const commonNames = ['device', 'metric', 'origin', 'unit', 'from', 'to', 'where'] as const
export const aggregateNames = [...commonNames, 'every', 'fn', 'fill', 'zone'] as const
type Texts<Name extends string> = Partial<Record<Name, string>>

export function seriesQuestion(
  texts: Texts<(typeof commonNames)[number]>,
  nowMs: number,
  whereOf: WhereDoor | undefined,
): SeriesQuery {
  const { device, metric, origin, unit, from, to, where } = texts
  const fromMs = from === undefined ? undefined : parseTimeMs('from', from, nowMs)
  const toMs = to === undefined ? undefined : parseTimeMs('to', to, nowMs)
  if (fromMs !== undefined && toMs !== undefined && fromMs > toMs) {
    throw new HoldfastError('BAD_ARGUMENT', '"from" is after "to"', 'exchange them')
  }
  if (where !== undefined && whereOf === undefined) {
    throw new HoldfastError('BAD_ARGUMENT', 'this gateway has no language for "where"')
  }
  return { device, metric, origin, unit, fromMs, toMs, where: where === undefined ? undefined : whereOf?.(where) }
}

export type AggregateQuestion = {
  readonly intervals: Intervals
  readonly functions: readonly BucketFunction[]
  readonly fill: Fill
}

export function aggregateQuestion(
  texts: Texts<(typeof aggregateNames)[number]>,
  { fromMs, toMs }: Pick<SeriesQuery, 'fromMs' | 'toMs'>,
): AggregateQuestion {
  const everyMs = texts.every === undefined ? undefined : parseEvery(texts.every)
  const fill = texts.fill === undefined ? 'none' : parseFill(texts.fill)
  if (everyMs !== undefined && fill !== 'none' && fromMs !== undefined && toMs !== undefined) {
    if ((toMs - fromMs) / everyMs > filledRowsMax) {
      const hint = 'choose a longer interval or a shorter range, or leave "fill" out'
      throw new HoldfastError('BAD_ARGUMENT', `"every" cuts the range into more than ${filledRowsMax} intervals`, hint)
    }
  }
  return {
    intervals: everyMs === undefined ? oneInterval(fromMs) : intervals(everyMs, texts.zone),
    functions: parseFunctions(texts.fn ?? 'avg,min,max,count'),
    fill,
  }
}

const dayMs = 86_400_000

function intervals(everyMs: number, zone: string | undefined): Intervals {
  if (zone !== undefined && zone !== 'UTC' && everyMs % dayMs !== 0) {
    throw new HoldfastError(
      'BAD_ARGUMENT',
      '"zone" is for intervals of whole days',
      'write every=1d, or leave "zone" out',
    )
  }
  const found = intervalsOf(everyMs, zone)
  if (found !== undefined) return found
  const hint = 'write one such as UTC or Europe/Berlin'
  throw new HoldfastError('BAD_ARGUMENT', `"zone" is no time zone: "${shown(zone ?? '')}"`, hint)
}

function parseEvery(text: string): number {
  const ms = parseDurationMs(text)
  if (ms !== undefined && Number.isInteger(ms) && ms >= 1 && ms <= 3_660 * dayMs) return ms
  const hint = 'write 10s, 15m, 1h, 1d or 1w; leave "every" out for one interval'
  throw new HoldfastError('BAD_ARGUMENT', `"every" is not the length of an interval: "${shown(text)}"`, hint)
}

function parseFunctions(text: string): readonly BucketFunction[] {
  const names = text.split(',').map(name => name.trim())
  for (const name of names) {
    if (bucketFunctions.some(known => known === name)) continue
    const nearest = nearestName(name === 'mean' || name === 'average' ? 'avg' : name, bucketFunctions)
    const hint = nearest ? `did you mean "${nearest}"?` : `there are ${bucketFunctions.join(', ')}`
    throw new HoldfastError('BAD_ARGUMENT', `"fn" names no function: "${shown(name)}"`, hint)
  }
  return [...new Set(names as BucketFunction[])]
}

const fills = ['none', 'null', 'previous', 'linear'] as const

function parseFill(text: string): Fill {
  const word = fills.find(known => known === text)
  if (word !== undefined) return word
  if (/^-?\d+(\.\d+)?$/.test(text)) return Number(text)
  const nearest = nearestName(text, fills)
  const hint = nearest ? `did you mean "${nearest}"?` : `write ${fills.join(', ')} or a number`
  throw new HoldfastError('BAD_ARGUMENT', `"fill" is not a way to fill: "${shown(text)}"`, hint)
}

export function parseOrder(text: string): Order {
  if (text === 'asc' || text === 'desc') return text
  throw new HoldfastError(
    'BAD_ARGUMENT',
    `"order" is "${shown(text)}"`,
    'write asc (oldest first) or desc (newest first)',
  )
}
