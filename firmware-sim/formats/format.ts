/**
 * The contract of a format: how a pretend device says what it measures, in the words of devices that people own.
 *
 * A format is written from its own specification and knows nothing of what listens: that a gateway reads the same out of it
 * is worth something only if two programs agree. It has no clock and no dice of its own, and says honestly what it sent.
 */
import type { Metric, SensorValue } from '../waves.ts'

export const garbageKinds = ['not-json', 'truncated', 'wrong-type', 'empty', 'binary'] as const
export type GarbageKind = (typeof garbageKinds)[number]

export type Payload = string | Buffer

/** What a device measured at a moment. */
export type Measured = {
  readonly metric: Metric
  readonly value: SensorValue
  /** By the device's own clock; whole milliseconds. */
  readonly deviceTimeMs: number
  /** Counts the device's readings from 1. */
  readonly number: number
}

/** The device that speaks. */
export type Speaker = {
  readonly name: string
  /** With `{device}` filled in and `{metric}` still open. */
  readonly topic: string
  readonly metrics: readonly Metric[]
  readonly withId: boolean
  readonly withTime: boolean
  /** Makes what one run says differ from what the next says, as a device's boot counter does. */
  readonly boot: string
}

/** A reading as it is sent. */
export type Spoken = {
  readonly topic: string
  readonly payload: Payload
  /** As sent: undefined where the plan wants none, or the format has no place for it. */
  readonly id: string | undefined
  readonly timeMs: number | undefined
  /** Where the bytes count what is sent: gives them anew each time that they go. */
  readonly anew?: (() => Payload) | undefined
}

/** What is no reading: `garbage` must be refused by whoever knows the format, `chatter` must be understood. */
export type Beside = {
  readonly kind: 'garbage' | 'chatter'
  readonly topic: string
  readonly payload: Payload
  readonly anew?: (() => Payload) | undefined
}

export type Said = { readonly topic: string; readonly payload: Payload; readonly retain: boolean }

/** One device speaking one format. */
export type Voice = {
  /** `fault` is one of the format's own faults: it makes the reading odd, and never wrong. */
  reading(measured: Measured, fault: string | undefined): Spoken
  /** What the fault brings besides, if it is of that kind. */
  beside?(measured: Measured, fault: string): Beside | undefined
  /** What must be refused on the topic of a reading; undefined where the format has no such garbage. */
  garbage(kind: GarbageKind, measured: Measured): Payload | undefined
  readonly manners?: Manners
}

/** What is said about the connection itself, by formats that do. */
export type Manners = {
  /** What the broker says when the connection is torn. Called before each connection. */
  will(nowMs: number): Said
  /** Said first on each connection. */
  greeting(nowMs: number): readonly Said[]
  /** Said before a planned end. */
  farewell(nowMs: number): readonly Said[]
  /** What is asked of the device, and what it answers. */
  readonly listensTo?: readonly string[]
  answer?(topic: string, payload: Buffer, nowMs: number): readonly Said[]
  /** True while a reading would not be understood. */
  isSilent?(): boolean
  /** What is said as time goes by; asked many times a second. */
  tick?(nowMs: number): readonly Said[]
}

export type Format = {
  readonly name: string
  /** Where devices of this kind are usually found; undefined where that is the plan's to say. */
  readonly topic: string | undefined
  /** What goes wrong with this format and no other, by name. */
  readonly faults: readonly string[]
  /** Why the format cannot say this, as the end of a sentence about the group; undefined if it can. */
  complaint?(device: string, metrics: readonly Metric[]): string | undefined
  open(speaker: Speaker): Voice
}

export function topicOf({ topic }: Speaker, { metric }: Measured): string {
  return topic.replaceAll('{metric}', metric.name)
}

/** The id of a reading: no other of this device has it, in this run or the next. */
export function idOf({ name, boot, withId }: Speaker, { number }: Measured): string | undefined {
  return withId ? `${name}-${boot}-${number}` : undefined
}

export function timeOf({ withTime }: Speaker, { deviceTimeMs }: Measured): number | undefined {
  return withTime ? deviceTimeMs : undefined
}
