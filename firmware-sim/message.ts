/**
 * The messages of a device, good and bad. A reading is encoded once: sent again, it is the same bytes with the same id and
 * time, which is what lets a receiver store it once. Where a format counts its messages, the count alone is another. Pure.
 */
import { fraction, hashNumber, hashText } from './chance.ts'
import type { Payload, Voice } from './formats/format.ts'
import type { DevicePlan, Qos } from './plan.ts'
import type { Sample } from './sampler.ts'
import type { SensorValue } from './waves.ts'

export type Message = {
  /** `chatter` is what a format says beside readings, in order. */
  kind: 'reading' | 'garbage' | 'chatter'
  metric: string
  topic: string
  payload: Payload
  /** Where the bytes count what is sent: gives them anew each time that the message goes. */
  anew: (() => Payload) | undefined
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

/** What a device says of a sample, in its own format, with the format's own faults if its dice say so. */
export function readingMessage(plan: DevicePlan, voice: Voice, seed: number, sample: Sample): Message {
  const { metric, value } = sample
  const spoken = voice.reading(sample, formatFault(plan, seed, sample))
  return {
    kind: 'reading',
    metric: metric.name,
    topic: spoken.topic,
    payload: spoken.payload,
    anew: spoken.anew,
    qos: plan.qos,
    value,
    id: spoken.id,
    timeMs: spoken.timeMs,
    sends: 0,
    goesAgain: isResent(plan, seed, sample.number),
    copy: false,
  }
}

/** What follows a reading if its dice say so: a payload that nobody can decode, and what a fault of the format brings. */
export function messagesBeside(
  plan: DevicePlan,
  voice: Voice,
  seed: number,
  sample: Sample,
  reading: Message,
): Message[] {
  const fault = formatFault(plan, seed, sample)
  const beside = fault === undefined ? undefined : voice.beside?.(sample, fault)
  const payload = garbageAfter(plan, voice, seed, sample)
  const nothing = { value: undefined, id: undefined, timeMs: undefined, goesAgain: false }
  return [
    ...(beside ? [{ ...reading, ...nothing, anew: undefined, ...beside }] : []),
    ...(payload === undefined ? [] : [{ ...reading, ...nothing, anew: undefined, kind: 'garbage' as const, payload }]),
  ]
}

function garbageAfter(plan: DevicePlan, voice: Voice, seed: number, sample: Sample): Payload | undefined {
  const { garbage } = plan.faults
  const kind = garbage && oneOf(garbage.kinds, garbage.chance, hashText(seed, `${plan.name}/garbage`), sample)
  return kind && voice.garbage(kind, sample)
}

function formatFault({ name, faults }: DevicePlan, seed: number, sample: Sample): string | undefined {
  return faults.format && oneOf(faults.format.kinds, faults.format.chance, hashText(seed, `${name}/format`), sample)
}

/** With this chance, one of the kinds. */
function oneOf<Kind>(kinds: readonly Kind[], chance: number, hash: number, { number }: Sample): Kind | undefined {
  const dice = hashNumber(hash, number)
  if (fraction(dice) >= chance) return undefined
  return kinds[Math.floor(fraction(hashNumber(dice, 1)) * kinds.length)]
}

/** The same message once more: same bytes, same id, same time. */
export function copyOf(message: Message): Message {
  return { ...message, sends: 0, goesAgain: false, copy: true }
}

function isResent(plan: DevicePlan, seed: number, number: number): boolean {
  if (plan.faults.resendChance === 0) return false
  return fraction(hashNumber(hashText(seed, `${plan.name}/resend`), number)) < plan.faults.resendChance
}
