/** The lines of `holdfast status` about the disk: what wears it down, and what is done to keep some of it free. Pure. */
import type { BoundsSection } from '../api/bounds.ts'
import type { DiskSection } from '../api/disk.ts'
import { formatDuration, formatSize } from '../units.ts'
import type { Told } from './concerns.ts'
import { age } from './terminal.ts'

type Bytes = { readonly process_bytes?: number | null | undefined; readonly store_bytes?: number | undefined }

export function diskTexts(disk: Told<DiskSection>): readonly string[] {
  const { free_bytes: free, today, per_reading: perReading, per_day: perDay, days = [] } = disk
  // Where the system says nothing, the store's own count is told as what it is.
  const isKnown = typeof disk.since_start?.process_bytes === 'number'
  const of = (bytes: Bytes | null | undefined): number | null | undefined =>
    isKnown ? bytes?.process_bytes : bytes?.store_bytes
  const first = [
    told(free, size => `${size} free`),
    told(of(today), size => `${size} written today`),
    told(of(perReading), size => `${size} a reading`),
    told(of(perDay), size => `${size} a day at this pace`),
    isKnown ? '' : 'given to the database (the system does not say what came to the disk)',
  ]
  const before = days.slice(0, -1)
  const known = before.map(of).filter(bytes => typeof bytes === 'number')
  const average = known.length === 0 ? undefined : known.reduce((sum, bytes) => sum + bytes, 0) / known.length
  const most = known.length === 0 ? undefined : Math.max(...known)
  const second = [
    told(average, size => `${size} a day on the last ${known.length === 1 ? 'day' : `${known.length} days`}`),
    known.length > 1 ? told(most, size => `at most ${size}`) : '',
  ]
  return [first, second].map(parts => parts.filter(part => part !== '').join(', ')).filter(text => text !== '')
}

const doing = {
  plenty: '',
  tidy: 'below it: what nobody needs is removed',
  thin: 'below it: the oldest readings are thinned',
  drop: 'below it: the oldest readings are dropped',
  refuse: 'below it, and nothing is left to be dropped',
}

export function boundsTexts(bounds: Told<BoundsSection>, nowMs: number | undefined): readonly string[] {
  const { pressure, floor_bytes: floor, thinned_bytes: thinned = 0, dropped_bytes: dropped = 0, compaction } = bounds
  const first = [
    told(floor, size => `${size} must stay free`),
    pressure === undefined ? '' : doing[pressure],
    thinned > 0 ? told(thinned, size => `${size} thinned out`) : '',
    dropped > 0 ? told(dropped, size => `${size} dropped for it`) : '',
  ]
  return [first.filter(part => part !== '').join(', '), compactionText(compaction, nowMs)].filter(text => text !== '')
}

function compactionText(done: Told<BoundsSection>['compaction'], nowMs: number | undefined): string {
  const { at_ms: at, before_bytes: before, after_bytes: after, duration_ms: took } = done ?? {}
  if (typeof before !== 'number' || typeof after !== 'number' || typeof took !== 'number') return ''
  const when = typeof at === 'number' && nowMs !== undefined ? ` ${age(nowMs - at)} ago` : ''
  return `compacted${when}: from ${formatSize(before)} to ${formatSize(after)} in ${formatDuration(took)}`
}

const told = (bytes: number | null | undefined, text: (size: string) => string): string =>
  typeof bytes === 'number' ? text(formatSize(Math.round(bytes))) : ''
