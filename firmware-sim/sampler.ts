/**
 * When a device measures and what its own clock says then. Pure but for its own positions: given the same start, plan
 * and seed it hands out the same readings with the same numbers and times, however late or unevenly it is asked (up to
 * `catchUpMax`, past which it gives up readings and counts them).
 */
import { fraction, hashText } from './chance.ts'
import type { DevicePlan } from './plan.ts'
import { measure, type Metric, type SensorValue } from './waves.ts'

export type Sample = {
  metric: Metric
  value: SensorValue
  /** By the device's own clock, which may drift; whole milliseconds, and never the same twice for one metric. */
  deviceTimeMs: number
  /** Counts the device's readings from 1. */
  number: number
}

export type Sampler = {
  /** Everything that should have been measured by now and was not handed out yet, oldest first. */
  due: (nowMs: number) => Sample[]
  /** Readings never taken, because the process was held up for longer than `catchUpMax` of them. */
  missed: () => number
}

/** A process that was stopped for an hour must not measure an hour at once: per metric and call, at most this many. */
export const catchUpMax = 1_000

type Stream = { metric: Metric; nextMs: number; lastTimeMs: number }

/** `dueMs` says when it is handed out, `atMs` what moment it measures: in a burst they lie a little apart. */
type Appointment = { stream: Stream; dueMs: number; atMs: number }

export function createSampler(plan: DevicePlan, seed: number, startMs: number): Sampler {
  // Each stream and each device's bursts have a phase of their own, so that a fleet does not speak in one breath.
  const phase = (name: string): number => fraction(hashText(seed, `${plan.name}/${name}/phase`))
  const { burst, clock } = plan.faults
  const streams: Stream[] = plan.metrics.map(metric => ({
    metric,
    nextMs: startMs - plan.historyMs + Math.floor(phase(metric.name) * metric.everyMs),
    lastTimeMs: Number.NEGATIVE_INFINITY,
  }))
  let burstAtMs = burst ? startMs + Math.floor((0.5 + phase('burst') / 2) * burst.everyMs) : Number.POSITIVE_INFINITY
  let number = 0
  let missed = 0

  function keep({ stream, atMs }: Appointment): Sample {
    const { metric } = stream
    // Whatever the clock does, one metric has one reading per millisecond: device time may be all the identity it has.
    stream.lastTimeMs = Math.max(deviceClock(clock, startMs, atMs), stream.lastTimeMs + 1)
    number += 1
    const value = measure(seed, plan.name, metric, { atMs, sinceStartMs: atMs - startMs })
    return { metric, value, deviceTimeMs: stream.lastTimeMs, number }
  }

  function regular(stream: Stream, nowMs: number): Appointment[] {
    const { everyMs } = stream.metric
    const behind = Math.floor((nowMs - stream.nextMs) / everyMs) + 1
    if (behind > catchUpMax) {
      missed += behind - catchUpMax
      stream.nextMs += (behind - catchUpMax) * everyMs
    }
    const appointments: Appointment[] = []
    for (; stream.nextMs <= nowMs; stream.nextMs += everyMs) {
      appointments.push({ stream, dueMs: stream.nextMs, atMs: stream.nextMs })
    }
    return appointments
  }

  /** Extra readings at once, of each metric in turn, a millisecond apart. */
  function bursts(nowMs: number): Appointment[] {
    if (!burst || burstAtMs > nowMs) return []
    const behind = Math.floor((nowMs - burstAtMs) / burst.everyMs)
    if (behind * burst.count > catchUpMax) {
      missed += behind * burst.count
      burstAtMs += behind * burst.everyMs
    }
    const appointments: Appointment[] = []
    for (; burstAtMs <= nowMs; burstAtMs += burst.everyMs) {
      for (let index = 0; index < burst.count; index++) {
        const stream = streams[index % streams.length]
        if (stream) appointments.push({ stream, dueMs: burstAtMs, atMs: burstAtMs + index })
      }
    }
    return appointments
  }

  return {
    due: nowMs => {
      const appointments = streams.flatMap(stream => (stream.nextMs <= nowMs ? regular(stream, nowMs) : []))
      return [...appointments, ...bursts(nowMs)].sort((a, b) => a.dueMs - b.dueMs).map(keep)
    },
    missed: () => missed,
  }
}

/** What the device believes the time to be: off by a fixed amount from the start, and by a little more each second. */
export function deviceClock(clock: { driftPpm: number; offsetMs: number }, startMs: number, atMs: number): number {
  return Math.round(atMs + clock.offsetMs + ((atMs - startMs) * clock.driftPpm) / 1e6)
}
