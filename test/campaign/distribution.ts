/** Many latencies as a distribution: where its parts lie, and as a picture of text. Pure. */

export type Distribution = {
  readonly count: number
  readonly p50: number
  readonly p90: number
  readonly p99: number
  readonly max: number
}

/** Of nothing, everything is 0. */
export function distributionOf(numbers: readonly number[]): Distribution {
  const sorted = Float64Array.from(numbers).sort()
  // The smallest number that so large a share does not go beyond.
  const at = (share: number): number => sorted[Math.max(0, Math.ceil(sorted.length * share) - 1)] ?? 0
  return { count: sorted.length, p50: at(0.5), p90: at(0.9), p99: at(0.99), max: at(1) }
}

const widthMax = 50

/** A line for each doubling, from the first that holds anything to the last; empty lines between are a gap one sees. */
export function histogram(numbers: readonly number[], unit: string): string[] {
  const counts = new Map<number, number>()
  for (const number of numbers) {
    const step = Math.max(0, Math.ceil(Math.log2(Math.max(number, 1))))
    counts.set(step, (counts.get(step) ?? 0) + 1)
  }
  if (counts.size === 0) return []
  const steps = [...counts.keys()]
  const most = Math.max(...counts.values())
  const lines: string[] = []
  for (let step = Math.min(...steps); step <= Math.max(...steps); step++) {
    const count = counts.get(step) ?? 0
    const bar = '█'.repeat(count === 0 ? 0 : Math.max(1, Math.round((count / most) * widthMax)))
    lines.push(`up to ${String(2 ** step).padStart(6)} ${unit}  ${bar} ${count}`.trimEnd())
  }
  return lines
}
