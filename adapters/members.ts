/**
 * What one object says as many readings: each value in it is a metric, named by the keys that lead to it, joined by dots
 * (`color.x`, `AM2301.Temperature`). For formats that say in no other way what they hold.
 *
 * Null says that there is no value now. A key is a name only as far as a name may hold it: `/` becomes a dot, for it means
 * the same, and `+` and `#` become `_`. Nesting, number and size are bounded; only own keys are read.
 */
import { readingsPerMessageMax, valueDepthMax } from '../runtime/limits.ts'
import type { Reading, Value } from '../runtime/reading.ts'
import { nameFault } from './names.ts'
import { printable, tooManyReadings } from './reason.ts'
import { asValue, valueFault } from './value.ts'

export type MemberPlan = {
  readonly device: string
  readonly deviceTimeMs: number | undefined
  /** What members are no readings, by their whole name. */
  readonly isLeftOut: (name: string) => boolean
  readonly unitOf: (name: string) => string | undefined
  /** Lists of plain values are metrics each, `Power.1` and `Power.2`, or one value. */
  readonly lists: 'numbered' | 'whole'
}

/** Adds the readings of an object to `readings`, or says what is wrong with it. */
export function readMembers(plan: MemberPlan, members: object, readings: Reading[], prefix = ''): string | undefined {
  return readLevel(plan, members, prefix, readings, 1)
}

function readLevel(
  plan: MemberPlan,
  members: object,
  prefix: string,
  readings: Reading[],
  depth: number,
): string | undefined {
  if (depth > valueDepthMax) return `the message is nested more than ${valueDepthMax} deep`
  const isList = Array.isArray(members)
  for (const [key, member] of Object.entries(members)) {
    if (member === null || member === undefined) continue
    const step = isList ? String(Number(key) + 1) : nameOfPath(key)
    const name = prefix === '' ? step : `${prefix}.${step}`
    if (plan.isLeftOut(name)) continue
    const fault = isBranch(plan, member)
      ? readLevel(plan, member, name, readings, depth + 1)
      : readMember(plan, name, member, readings)
    if (fault !== undefined) return fault
  }
  return undefined
}

function isBranch(plan: MemberPlan, member: unknown): member is object {
  if (typeof member !== 'object') return false
  return plan.lists === 'numbered' || !Array.isArray(member)
}

function readMember(plan: MemberPlan, metric: string, member: unknown, readings: Reading[]): string | undefined {
  if (readings.length >= readingsPerMessageMax) return tooManyReadings
  const wrongName = nameFault('the metric', metric)
  if (wrongName !== undefined) return wrongName
  const wrong = valueFault(member)
  if (wrong !== undefined) return `"${printable(metric)}" ${wrong}`
  const { device, deviceTimeMs } = plan
  readings.push({ device, metric, value: switchValue(member), deviceTimeMs, id: undefined, unit: plan.unitOf(metric) })
  return undefined
}

/** ON and OFF, as these formats write a switch: it can be counted and compared like any other. */
export function switchValue(checked: unknown): Value {
  if (checked === 'ON') return true
  return checked === 'OFF' ? false : asValue(checked)
}

/** A name out of a path of a format's own: what stands for levels stands for dots here. */
export function nameOfPath(path: string): string {
  return /[/+#]/.test(path) ? path.replaceAll('/', '.').replace(/[+#]/g, '_') : path
}
