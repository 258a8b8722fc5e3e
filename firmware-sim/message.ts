/**
 * The bytes a device publishes, good and bad. A reading is encoded once: sent again, it is the same bytes with the same
 * id and time, which is what lets a receiver store it once. Pure.
 */
import { fraction, hashNumber, hashText } from './chance.ts'
import type { DevicePlan, GarbageKind, Qos } from './plan.ts'
import type { Sample } from './sampler.ts'
import type { SensorValue } from './waves.ts'

export type Message = {
  kind: 'reading' | 'garbage'
  metric: string
  topic: string
  payload: string | Buffer
  qos: Qos
  value: SensorValue | undefined
  /** As sent; undefined where the plan sends none. */
  id: string | undefined
  timeMs: number | undefined
  /** Times it was handed to a connection. */
  sends: number
  /** Its dice say that it goes once more after it is delivered, as a copy. */
  goesAgain: boolean
  /** That deliberate copy. */
  copy: boolean
}

/** `boot` makes the ids of one run differ from those of the next, as a device's boot counter does. */
export function readingMessage(plan: DevicePlan, seed: number, boot: string, sample: Sample): Message {
  const { metric, value } = sample
  const id = plan.withId ? `${plan.name}-${boot}-${sample.number}` : undefined
  const timeMs = plan.withTime ? sample.deviceTimeMs : undefined
  const payload =
    plan.payload === 'json' ? JSON.stringify({ value, time: timeMs, id, unit: metric.unit }) : numberText(value)
  const topic = plan.topic.replaceAll('{metric}', metric.name)
  // A bare number carries neither id nor time, so none was sent.
  const sent = plan.payload === 'json' ? { id, timeMs } : { id: undefined, timeMs: undefined }
  const goesAgain = isResent(plan, seed, sample.number)
  const name = metric.name
  return {
    kind: 'reading',
    metric: name,
    topic,
    payload,
    qos: plan.qos,
    value,
    ...sent,
    sends: 0,
    goesAgain,
    copy: false,
  }
}

function numberText(value: SensorValue): string {
  return typeof value === 'boolean' ? (value ? '1' : '0') : String(value)
}

/** What follows a reading if its dice say so: a payload that nobody can decode, on the reading's topic. */
export function garbageAfter(plan: DevicePlan, seed: number, sample: Sample, reading: Message): Message | undefined {
  const { garbage } = plan.faults
  if (!garbage) return undefined
  const dice = hashNumber(hashText(seed, `${plan.name}/garbage`), sample.number)
  if (fraction(dice) >= garbage.chance) return undefined
  const kind = garbage.kinds[Math.floor(fraction(hashNumber(dice, 1)) * garbage.kinds.length)]
  if (kind === undefined) return undefined
  const payload = garbagePayload(kind, sample)
  return { ...reading, kind: 'garbage', payload, value: undefined, id: undefined, timeMs: undefined, goesAgain: false }
}

/** The same message once more: same bytes, same id, same time. */
export function copyOf(message: Message): Message {
  return { ...message, sends: 0, goesAgain: false, copy: true }
}

function isResent(plan: DevicePlan, seed: number, number: number): boolean {
  if (plan.faults.resendChance === 0) return false
  return fraction(hashNumber(hashText(seed, `${plan.name}/resend`), number)) < plan.faults.resendChance
}

/** None of these is a number, and none is JSON with a usable `value`, whatever the group's own format. */
export function garbagePayload(kind: GarbageKind, sample: Sample): string | Buffer {
  const { value, deviceTimeMs } = sample
  switch (kind) {
    case 'not-json':
      return 'ERR sensor not ready'
    case 'truncated':
      return JSON.stringify({ value, time: deviceTimeMs }).slice(0, 9)
    case 'wrong-type':
      return JSON.stringify({ value: null, time: 'yesterday', id: {} })
    case 'empty':
      return ''
    case 'binary':
      return Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc0, sample.number & 0xff, 0x1b, 0x00])
  }
}
