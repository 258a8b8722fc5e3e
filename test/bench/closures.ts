/**
 * The peer of the bench of rules: what a function node or a small engine of one's own does. Every rule is a closure over
 * its pattern and its limit; for each reading all of them are asked in turn, and each keeps in a map whether it fires. It
 * knows no holds, saves nothing, and says nothing about where a limit came from.
 */
import type { ReadingEntry } from '../../runtime/store/types.ts'
import type { Judging } from './judging.ts'
import { type RuleCount, deviceOf, limitOf } from './plant.ts'

type Closure = (device: string, metric: string, value: number) => boolean

export function closures(count: RuleCount, limitFor?: (key: string) => number | undefined): Judging {
  const rules = Array.from({ length: count }, (_, index) => closure(deviceOf(index, count), limitOf(index), limitFor))
  return {
    judge(entries: readonly ReadingEntry[]) {
      let verdicts = 0
      for (const { series, value } of entries) {
        for (const rule of rules) if (rule(series.device, series.metric, value as number)) verdicts++
      }
      return verdicts
    },
  }
}

/** True if the reading raises an alert or ends one. */
function closure(pattern: string, literal: number, limitFor?: (key: string) => number | undefined): Closure {
  const firing = new Map<string, boolean>()
  const prefix = pattern.endsWith('*') ? pattern.slice(0, -1) : undefined
  return (device, metric, value) => {
    if (metric !== 'temperature') return false
    if (prefix === undefined ? device !== pattern : !device.startsWith(prefix)) return false
    const limit = limitFor ? limitFor(`${device}/${metric}`) : literal
    if (limit === undefined) return false
    const was = firing.get(device) ?? false
    const is = value > limit || (was && value > 25.5)
    if (is !== was) firing.set(device, is)
    return is !== was
  }
}
