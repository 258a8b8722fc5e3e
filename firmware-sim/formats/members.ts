/** Messages that are one JSON object, in which the keys that lead to a value name it: `color.x` is {"color": {"x": 0.4}}. */
import { type Metric, textsOf } from '../waves.ts'
import type { GarbageKind, Measured, Payload } from './format.ts'
import { garbagePayload } from './garbage.ts'

export function nested(path: string, value: unknown): object {
  const [first = '', ...rest] = path.split('.')
  return { [first]: rest.length === 0 ? value : nested(rest.join('.'), value) }
}

/** Why metrics cannot be said that way; `isTaken` says which names mean something else in the format. */
export function memberComplaint(metrics: readonly Metric[], isTaken: (name: string) => boolean): string | undefined {
  for (const metric of metrics) {
    const { name } = metric
    if (name.split('.').includes('')) return `"${name}" has a key without a name`
    if (isTaken(name)) return `"${name}" means something else there`
    if (textsOf(metric).some(text => text === 'ON' || text === 'OFF')) return 'ON and OFF are no texts there'
  }
  return undefined
}

/** An empty message takes back a retained one, and is in order; a wrong type is a matter of the format's own time. */
export function memberGarbage(kind: GarbageKind, measured: Measured, wrongType: string): Payload | undefined {
  if (kind === 'empty') return undefined
  return kind === 'wrong-type' ? wrongType : garbagePayload(kind, measured)
}
