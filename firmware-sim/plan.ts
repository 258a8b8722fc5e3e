/**
 * A plan: which pretend devices there are, what they measure and what goes wrong with them. `parsePlan` promises every
 * problem of a file at once, and that a plan it returns can be run: names are unique, templates have only known parts.
 */
import { z } from 'zod'
import { formatNamed } from './formats/formats.ts'
import type { GarbageKind } from './formats/format.ts'
import type { Attack } from './hostile/attack.ts'
import { attacks } from './hostile/attacks.ts'
import {
  planSchema,
  type WrittenAssault,
  type WrittenFaults,
  type WrittenGroup,
  type WrittenMetric,
} from './plan-schema.ts'
import { formatComplaints } from './plan-formats.ts'
import { checkText, nameHint, type Checked, type Complaint } from './plan-text.ts'
import type { Metric, Wave } from './waves.ts'

export type Qos = 0 | 1 | 2

export type Faults = {
  reconnect: { everyMs: number; awayMs: number } | undefined
  cut: { everyMs: number; awayMs: number } | undefined
  resendChance: number
  burst: { everyMs: number; count: number } | undefined
  garbage: { chance: number; kinds: readonly GarbageKind[] } | undefined
  /** Those of the format itself, by the names that it gives them. */
  format: { chance: number; kinds: readonly string[] } | undefined
  clock: { driftPpm: number; offsetMs: number }
}

export type DevicePlan = {
  name: string
  qos: Qos
  /** With `{device}` filled in and `{metric}` still open. */
  topic: string
  /** The name of the format that it speaks. */
  payload: string
  withId: boolean
  withTime: boolean
  historyMs: number
  windowMax: number
  outboxMax: number
  metrics: readonly Metric[]
  faults: Faults
}

export type Plan = { devices: readonly DevicePlan[]; hostile: readonly Attack[] }

export function parsePlan(file: string, text: string): Checked<Plan> {
  const checked = checkText(file, text, planSchema, plain => [
    ...nameComplaints(plain),
    ...topicComplaints(plain),
    ...formatComplaints(plain, group => devicesOf(group, '')[0]),
  ])
  if (!checked.ok) return checked
  return { ok: true, value: planOf(checked.value) }
}

/** A small cold store with a motor and a door: enough to see something move without writing a plan. */
export const defaultPlan: Plan = planOf(
  planSchema.parse({
    devices: [
      {
        name: 'freezer-{n}',
        count: 3,
        metrics: { temperature: { wave: 'daily', mean: -18, amplitude: 2, noise: 0.2, unit: '°C' } },
      },
      {
        name: 'motor-1',
        metrics: {
          vibration: { wave: 'vibration', mean: 2.8, amplitude: 0.8, noise: 0.1, spike: 4, unit: 'mm/s' },
        },
      },
      { name: 'door-1', metrics: { open: { wave: 'switch', open_chance: 0.02 } } },
    ],
  }),
)

/** The names of a group's devices: `{n}` counts from 1. */
function namesOf(template: string, count: number): string[] {
  return Array.from({ length: count }, (_, index) => template.replaceAll('{n}', String(index + 1)))
}

/** As much of a group as its names need; the rest may be wrong and the names are checked all the same. */
const namedGroup = z.object({ name: z.string(), count: z.number().int().min(1).max(10_000).default(1) })

function nameComplaints(plain: unknown): Complaint[] {
  const groups = (plain as { devices?: unknown } | null)?.devices
  if (!Array.isArray(groups)) return []
  const taken = new Map<string, number>()
  return groups.flatMap((group: unknown, index) => {
    const named = namedGroup.safeParse(group)
    if (!named.success) return []
    const { name, count } = named.data
    const path = ['devices', index, 'name']
    const unknown = unknownParts(name, ['n']).map(message => ({ path, message: `"name": ${message}` }))
    if (count > 1 && !name.includes('{n}')) {
      return [...unknown, { path, message: `"name": must contain {n}, since there are ${count} of them` }]
    }
    const names = namesOf(name, count)
    const twice = names.find(each => taken.has(each))
    if (twice !== undefined) {
      const first = (taken.get(twice) ?? 0) + 1
      unknown.push({ path, message: `"name": the device "${twice}" is in group ${first} already` })
    }
    for (const each of names) if (!taken.has(each)) taken.set(each, index)
    return unknown
  })
}

function topicComplaints(plain: unknown): Complaint[] {
  const { topic, devices } = (plain ?? {}) as { topic?: unknown; devices?: unknown }
  const groups: unknown[] = Array.isArray(devices) ? devices : []
  const topics = [
    { path: ['topic'], text: topic },
    ...groups.map((group, index) => ({
      path: ['devices', index, 'topic'],
      text: (group as { topic?: unknown } | null)?.topic,
    })),
  ]
  return topics.flatMap(({ path, text }) =>
    typeof text === 'string'
      ? unknownParts(text, ['device', 'metric']).map(message => ({ path, message: `"topic": ${message}` }))
      : [],
  )
}

function unknownParts(template: string, known: readonly string[]): string[] {
  return [...template.matchAll(/\{([^}]*)\}/g)]
    .map(([, part]) => part ?? '')
    .filter(part => !known.includes(part))
    .map(part => `unknown part "{${part}}"${nameHint(part, known)}`)
}

function planOf(written: z.output<typeof planSchema>): Plan {
  return {
    devices: written.devices.flatMap(group => devicesOf(group, written.topic)),
    hostile: written.hostile.flatMap(attackOf),
  }
}

/** The attack of that name, as large as the plan wants it. */
function attackOf({ attack: name, connections, per_second: perSecond }: WrittenAssault): Attack[] {
  return attacks
    .filter(attack => attack.name === name)
    .map(attack => ({
      ...attack,
      connections: connections ?? attack.connections,
      perSecond: perSecond ?? attack.perSecond,
    }))
}

/** A format is found under topics of its own; `planTopic` is for those that leave it to their makers. */
function devicesOf(group: WrittenGroup, planTopic: string): DevicePlan[] {
  const format = formatNamed(group.payload)
  const topic = group.topic ?? format.topic ?? planTopic
  const metrics = Object.entries(group.metrics).map(([name, metric]) => metricOf(name, metric, group.every))
  const faults = faultsOf(group.faults, format.faults)
  return namesOf(group.name, group.count).map(name => ({
    name,
    qos: group.qos,
    topic: topic.replaceAll('{device}', name),
    payload: group.payload,
    withId: group.with_id,
    withTime: group.with_time,
    historyMs: group.history,
    windowMax: group.window,
    outboxMax: group.outbox,
    metrics,
    faults,
  }))
}

function metricOf(name: string, written: WrittenMetric, everyMs: number): Metric {
  return {
    name,
    wave: waveOf(written),
    noise: written.noise,
    decimals: written.decimals,
    unit: written.unit,
    everyMs: written.every ?? everyMs,
    script: written.script.map(({ at, value }) => ({ atMs: at, value })),
  }
}

function waveOf(written: WrittenMetric): Wave {
  switch (written.wave) {
    case 'daily': {
      const { mean, amplitude, period, peak } = written
      return { kind: 'daily', mean, amplitude, periodMs: period, peakMs: peak }
    }
    case 'vibration': {
      const { mean, amplitude, spike_chance: spikeChance, spike } = written
      return { kind: 'vibration', mean, amplitude, spikeChance, spike }
    }
    case 'switch':
      return { kind: 'switch', openChance: written.open_chance, openForMs: written.open_for }
    case 'step':
      return { kind: 'step', from: written.from, to: written.to, atMs: written.at }
    case 'ramp':
      return { kind: 'ramp', from: written.from, to: written.to, overMs: written.over, repeat: written.repeat }
    case 'constant':
      return { kind: 'constant', value: written.value }
  }
}

function faultsOf(written: WrittenFaults, formatFaults: readonly string[]): Faults {
  const pause = (fault: { every: number; away: number } | undefined) =>
    fault && { everyMs: fault.every, awayMs: fault.away }
  return {
    reconnect: pause(written.reconnect),
    cut: pause(written.cut),
    resendChance: written.resend?.chance ?? 0,
    burst: written.burst && { everyMs: written.burst.every, count: written.burst.count },
    garbage: written.garbage,
    format: written.format && { chance: written.format.chance, kinds: written.format.kinds ?? formatFaults },
    clock: { driftPpm: written.clock?.drift_ppm ?? 0, offsetMs: written.clock?.offset ?? 0 },
  }
}
