import type { Series } from './types.ts'

/** The order in which series are told: by device, metric, origin and unit. */
export const byName = (a: Series, b: Series): number =>
  compare(a.device, b.device) ||
  compare(a.metric, b.metric) ||
  compare(a.origin, b.origin) ||
  compare(a.unit ?? '', b.unit ?? '')

const compare = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0)
