/**
 * What a pretend sensor measures at a moment: a pure function of seed, device, metric and time. Asking twice gives the
 * same value, in any order, so a run can be repeated and a test can know the answer beforehand. Numbers stay within
 * bounds that follow from the plan (noise never passes `bellMax` times its deviation).
 */
import { bell, fraction, hashNumber, hashText } from './chance.ts'

export type SensorValue = number | boolean | string

export type Wave =
  /** A day and night: warmest `peakMs` after midnight UTC; `periodMs` shortens the day for people who watch. */
  | { kind: 'daily'; mean: number; amplitude: number; periodMs: number; peakMs: number }
  /** A machine that runs: three sines out of step, and now and then a knock (`spikeChance` per reading). */
  | { kind: 'vibration'; mean: number; amplitude: number; spikeChance: number; spike: number }
  /** A door: closed (false) until it opens, with `openChance` in each second, and open for `openForMs`. */
  | { kind: 'switch'; openChance: number; openForMs: number }
  | { kind: 'step'; from: number; to: number; atMs: number }
  | { kind: 'ramp'; from: number; to: number; overMs: number; repeat: boolean }
  | { kind: 'constant'; value: SensorValue }

/** From `atMs` after the start this value stands, until the next point; null hands back to the wave. */
export type ScriptPoint = { atMs: number; value: SensorValue | null }

export type Metric = {
  name: string
  wave: Wave
  /** Standard deviation of what is added to a number. */
  noise: number
  /** Digits after the point that the sensor has. */
  decimals: number
  unit: string | undefined
  everyMs: number
  script: readonly ScriptPoint[]
}

/** A moment, twice: since 1970 (days have hours) and since the fleet started (scripts, noise). */
export type Moment = { atMs: number; sinceStartMs: number }

/** The texts that a metric may have as its value. */
export function textsOf(metric: Metric): string[] {
  return examplesOf(metric).filter(value => typeof value === 'string')
}

/** What its values are, where all are of one kind. */
export function kindOf(metric: Metric): 'number' | 'boolean' | 'string' | undefined {
  const kinds = new Set(examplesOf(metric).map(value => typeof value as 'number' | 'boolean' | 'string'))
  return kinds.size === 1 ? [...kinds][0] : undefined
}

/** One value of the wave, and all of the script. */
function examplesOf({ wave, script }: Metric): SensorValue[] {
  const ofWave = wave.kind === 'constant' ? wave.value : wave.kind === 'switch' ? false : 0
  return [ofWave, ...script.flatMap(({ value }) => value ?? [])]
}

export function measure(seed: number, device: string, metric: Metric, moment: Moment): SensorValue {
  const sensor = hashText(seed, `${device}/${metric.name}`)
  const scripted = scriptedValue(metric.script, moment.sinceStartMs)
  const value = scripted ?? waveValue(sensor, metric.wave, moment)
  if (typeof value !== 'number') return value
  const noise = metric.noise === 0 ? 0 : metric.noise * bell(hashNumber(sensor, moment.sinceStartMs))
  return rounded(value + noise, metric.decimals)
}

function scriptedValue(script: readonly ScriptPoint[], sinceStartMs: number): SensorValue | null {
  return script.findLast(point => point.atMs <= sinceStartMs)?.value ?? null
}

function waveValue(sensor: number, wave: Wave, moment: Moment): SensorValue {
  switch (wave.kind) {
    case 'daily':
      return wave.mean + wave.amplitude * Math.cos(turns((moment.atMs - wave.peakMs) / wave.periodMs))
    case 'vibration':
      return vibration(sensor, wave, moment.sinceStartMs)
    case 'switch':
      return isOpen(sensor, wave, moment.sinceStartMs)
    case 'step':
      return moment.sinceStartMs < wave.atMs ? wave.from : wave.to
    case 'ramp': {
      const part = moment.sinceStartMs / wave.overMs
      return wave.from + (wave.to - wave.from) * (wave.repeat ? part % 1 : Math.min(1, part))
    }
    case 'constant':
      return wave.value
  }
}

/** Periods of the three sines in milliseconds, and how much of the amplitude each has: they never repeat in an hour. */
const vibrationSines = [
  [7_919, 0.6],
  [2_311, 0.3],
  [613, 0.1],
] as const

function vibration(sensor: number, wave: Extract<Wave, { kind: 'vibration' }>, sinceStartMs: number): number {
  let sum = 0
  for (const [index, [periodMs, share]] of vibrationSines.entries()) {
    sum += share * Math.sin(turns(sinceStartMs / periodMs + fraction(hashNumber(sensor, -1 - index))))
  }
  const knock = hashNumber(hashNumber(sensor, -9), sinceStartMs)
  const spike = fraction(knock) < wave.spikeChance ? wave.spike * (0.5 + fraction(hashNumber(knock, 1)) / 2) : 0
  return wave.mean + wave.amplitude * sum + spike
}

/** An opening is remembered in at most this many slots, so that a long `open_for` costs no more than a short one. */
const slotsMax = 60

/** Open if an opening began within the last `openForMs`: time is cut into slots, and each slot has its own dice. */
function isOpen(sensor: number, wave: Extract<Wave, { kind: 'switch' }>, sinceStartMs: number): boolean {
  const slotMs = Math.max(1_000, wave.openForMs / slotsMax)
  const chance = 1 - (1 - wave.openChance) ** (slotMs / 1_000)
  const slot = Math.floor(sinceStartMs / slotMs)
  const first = Math.max(0, Math.floor((sinceStartMs - wave.openForMs) / slotMs) + 1)
  for (let each = Math.min(first, slot); each <= slot; each++) {
    if (fraction(hashNumber(sensor, each)) < chance) return true
  }
  return false
}

function turns(part: number): number {
  return 2 * Math.PI * part
}

function rounded(value: number, decimals: number): number {
  const scale = 10 ** decimals
  return Math.round(value * scale) / scale
}
