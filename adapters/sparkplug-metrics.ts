/**
 * The metrics of one Sparkplug message: which of them are readings, and what a birth says of them for later.
 *
 * Each metric stands for itself: one that cannot be read is refused by name, and the others are taken.
 */
import { readingsPerMessageMax, valueDepthMax } from '../runtime/limits.ts'
import type { Reading } from '../runtime/reading.ts'
import { deviceTimeMs } from './device-time.ts'
import { nameOfPath } from './members.ts'
import { nameFault, unitFault } from './names.ts'
import { printable } from './reason.ts'
import type { Known } from './sparkplug-memory.ts'
import type { Metric, Payload, PropertySet } from './sparkplug-payload.ts'
import { readValue, types } from './sparkplug-values.ts'
import { clockSetFromMs } from './unset-clock.ts'

type Context = {
  readonly payload: Payload
  readonly device: string
  readonly isBirth: boolean
  /** Whether the births are known to be those that this message builds on: otherwise an alias may mean something else. */
  readonly trusts: boolean
  readonly find: (key: string) => Known | undefined
  readonly readings: Reading[]
  readonly refusals: string[]
}

type Outcome = {
  /** What a birth named, by the key under which it is looked for later. */
  readonly named: Map<string, Known>
  /** Something that no birth has named: the births are wanted again. */
  readonly missing: boolean
}

export function readMetrics(context: Context): Outcome {
  const named = new Map<string, Known>()
  let missing = false
  let isAwaited = false
  for (const metric of context.payload.metrics ?? []) {
    if (isProtocols(metric.name)) continue
    const known = context.isBirth ? bornAs(metric) : meantBy(metric, context)
    if (known === 'awaited') isAwaited = true
    else if (known === 'unknown') {
      missing = true
      context.refusals.push(`alias ${metric.alias ?? '(none)'} is of no birth`)
    } else if (typeof known === 'string') context.refusals.push(known)
    else {
      if (context.isBirth) named.set(keyOf(metric), known)
      readMetric(metric, known, nameOfPath(known[0]), context, 1)
    }
  }
  if (isAwaited) context.refusals.push('metrics by alias, and the births that say what they are have yet to come')
  return { named, missing }
}

function keyOf({ alias, name }: Metric): string {
  return alias === undefined ? `=${name ?? ''}` : `#${alias}`
}

/** What a birth says of a metric, or what is wrong with it. */
function bornAs({ name, datatype, properties }: Metric): Known | string {
  if (name === undefined || name === '') return 'a metric of a birth has no name'
  const fault = nameFault(`"${printable(name.slice(0, 40))}" as a metric`, nameOfPath(name))
  if (fault !== undefined) return fault
  if (datatype === undefined) return `"${printable(name)}" has no type`
  const unit = properties && textProperty(properties, 'engUnit')
  return [name, datatype, unit === undefined || unitFault(unit) !== undefined ? null : unit]
}

/** Which metric is meant, and of what type: by its name, or by the alias that a birth gave it. */
function meantBy({ name, alias, datatype }: Metric, { find, trusts }: Context): Known | string {
  if (name === undefined) {
    if (!trusts) return 'awaited'
    return (alias === undefined ? undefined : find(`#${alias}`)) ?? 'unknown'
  }
  const fault = nameFault(`"${printable(name.slice(0, 40))}" as a metric`, nameOfPath(name))
  if (fault !== undefined) return fault
  const byName = trusts ? (find(`=${name}`) ?? (alias === undefined ? undefined : find(`#${alias}`))) : undefined
  const known = byName?.[0] === name ? byName : undefined
  const type = datatype ?? known?.[1]
  if (type === undefined) return `"${printable(name)}" has no type`
  return [name, type, known?.[2] ?? null]
}

/** Session numbers and switches of the protocol itself. */
const isProtocols = (name = ''): boolean => name === 'bdSeq' || /^(?:Node|Device) Control\//.test(name)

function readMetric(metric: Metric, known: Known, path: string, context: Context, depth: number): void {
  const [, type, unit] = known
  if (metric.isNull === true || metric.isTransient === true || !isGood(metric)) return
  if (type === types.template) return readTemplate(metric, path, context, depth)
  // A birth may name what has no value yet.
  if (context.isBirth && !hasValue(metric)) return
  const read = readValue(metric, type)
  const timeMs = timeOf(metric.timestamp ?? context.payload.timestamp)
  const fault = !read.ok ? `it ${read.reason}` : typeof timeMs === 'string' ? timeMs : nameFault('its name', path)
  if (!read.ok || fault !== undefined || typeof timeMs === 'string') {
    context.refusals.push(`"${printable(path.slice(0, 40))}": ${fault}`)
  } else if (context.readings.length >= readingsPerMessageMax) {
    context.refusals.push(`"${printable(path.slice(0, 40))}" is one more than ${readingsPerMessageMax} readings`)
  } else {
    const { device } = context
    context.readings.push({
      device,
      metric: path,
      value: read.value,
      deviceTimeMs: timeMs,
      id: undefined,
      unit: unit ?? undefined,
    })
  }
}

/** A template's members are metrics of their own, below its name. A definition has no values. */
function readTemplate({ template }: Metric, path: string, context: Context, depth: number): void {
  if (template === undefined || template.isDefinition === true) return
  if (depth > valueDepthMax) {
    context.refusals.push(`"${printable(path.slice(0, 40))}" is nested more than ${valueDepthMax} deep`)
    return
  }
  for (const member of template.metrics ?? []) {
    const { name = '', datatype } = member
    if (datatype === undefined) context.refusals.push(`"${printable(name.slice(0, 40))}" has no type`)
    else readMetric(member, [name, datatype, null], `${path}.${nameOfPath(name)}`, context, depth + 1)
  }
}

function hasValue({ int, long, float, double, boolean, string, bytes, dataset }: Metric): boolean {
  return (int ?? long ?? float ?? double ?? boolean ?? string ?? bytes ?? dataset) !== undefined
}

function timeOf(timestamp: bigint | undefined): number | string | undefined {
  if (timestamp === undefined) return undefined
  const ms = deviceTimeMs(Number(timestamp), 'unix_ms')
  return typeof ms === 'number' && ms < clockSetFromMs ? undefined : ms
}

/** The property "Quality": 192 and above is good, 0 is bad, 500 is a value that was not read anew. */
function isGood({ properties }: Metric): boolean {
  const index = properties?.keys?.indexOf('Quality') ?? -1
  const value = index < 0 ? undefined : properties?.values?.[index]
  const quality = value?.int ?? value?.long
  return quality === undefined || (Number(quality) >= 192 && Number(quality) <= 255)
}

function textProperty({ keys = [], values = [] }: PropertySet, key: string): string | undefined {
  const index = keys.indexOf(key)
  return index < 0 ? undefined : values[index]?.string
}
