import assert from 'node:assert/strict'
import { test } from 'node:test'
import * as fc from 'fast-check'
import { garbageKinds, type Voice } from '../../firmware-sim/formats/format.ts'
import { formatNamed } from '../../firmware-sim/formats/formats.ts'
import { garbagePayload } from '../../firmware-sim/formats/garbage.ts'
import { copyOf, readingMessage } from '../../firmware-sim/message.ts'
import { parsePlan, type DevicePlan } from '../../firmware-sim/plan.ts'
import { catchUpMax, createSampler, deviceClock, type Sample } from '../../firmware-sim/sampler.ts'

const startMs = 1_700_000_000_000

function deviceOf(text: string): DevicePlan {
  const checked = parsePlan('plan.yaml', `devices: [${text} ]`)
  const device = checked.ok ? checked.value.devices[0] : undefined
  assert.ok(device, JSON.stringify(checked))
  return device
}

const voiceOf = (device: DevicePlan): Voice => formatNamed(device.payload).open({ ...device, boot: 'boot' })

const busy = deviceOf(`
  {
  name: busy,
  every: 7ms,
  metrics: {
    temperature: { wave: daily, mean: 4, amplitude: 1, noise: 0.1 },
    door: { wave: switch, open_chance: 0.2, open_for: 1s, every: 13ms },
  },
  faults: { burst: { every: 100ms, count: 30 }, clock: { drift_ppm: -400000, offset: -5m } },
  }`)

test('a device hands out the same readings, numbers and times however unevenly it is asked', () => {
  const whole = createSampler(busy, 1, startMs).due(startMs + 290)
  assert.ok(whole.length > 100)
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 0, max: 290 }), { maxLength: 12 }), moments => {
      const sampler = createSampler(busy, 1, startMs)
      const inParts = [...moments.toSorted((a, b) => a - b), 290].flatMap(moment => sampler.due(startMs + moment))
      assert.deepEqual(inParts, whole)
    }),
  )
})

test('the times of one metric never repeat and never run backwards, whatever the clock and the bursts do', () => {
  const sampler = createSampler(busy, 1, startMs)
  const samples = Array.from({ length: 100 }, (_, step) => sampler.due(startMs + step * 10)).flat()
  for (const name of ['temperature', 'door']) {
    const times = samples.filter(sample => sample.metric.name === name).map(sample => sample.deviceTimeMs)
    assert.ok(times.length > 100)
    assert.ok(times.every((time, index) => index === 0 || time > (times[index - 1] ?? Number.NaN)))
  }
})

test('a drifting clock is off by its offset at the start and by its drift for every second after', () => {
  assert.equal(deviceClock({ driftPpm: 0, offsetMs: 0 }, startMs, startMs + 5), startMs + 5)
  const slow = { driftPpm: -200, offsetMs: -300_000 }
  assert.equal(deviceClock(slow, startMs, startMs), startMs - 300_000)
  assert.equal(deviceClock(slow, startMs, startMs + 86_400_000), startMs + 86_400_000 - 300_000 - 17_280)
})

test('a device that was held up for too long gives readings up and counts them', () => {
  const device = deviceOf('{ name: slow, every: 10ms, metrics: { m: { wave: constant, value: 1 } } }')
  const sampler = createSampler(device, 1, startMs)
  const taken = sampler.due(startMs + 999_999)
  assert.equal(taken.length, catchUpMax)
  assert.equal(taken.length + sampler.missed(), 100_000)
})

test('a reading carries value, time, id and unit, or a bare number, as its group says', () => {
  const sample = (device: DevicePlan): Sample => {
    const first = createSampler(device, 1, startMs).due(startMs + 1_000)[0]
    assert.ok(first)
    return first
  }
  const text = (options: string, value = '4.5'): string | Buffer => {
    const device = deviceOf(`{ name: d, ${options} metrics: { m: { wave: constant, value: ${value}, unit: °C } } }`)
    return readingMessage(device, voiceOf(device), 1, { ...sample(device), deviceTimeMs: 77 }).payload
  }
  assert.equal(text(''), '{"value":4.5,"time":77,"id":"d-boot-1","unit":"°C"}')
  assert.equal(text('with_id: false, with_time: false,'), '{"value":4.5,"unit":"°C"}')
  assert.equal(text('payload: number,'), '4.5')
  assert.equal(text('payload: number,', 'true'), '1')
})

test('a copy is the same bytes on the same topic and is not copied again', () => {
  const device = deviceOf(
    '{ name: d, metrics: { m: { wave: constant, value: 1 } }, faults: { resend: { chance: 1 } } }',
  )
  const sample = createSampler(device, 1, startMs).due(startMs + 1_000)[0]
  assert.ok(sample)
  const message = readingMessage(device, voiceOf(device), 1, sample)
  const copy = copyOf({ ...message, sends: 1 })
  assert.equal(message.goesAgain, true)
  assert.deepEqual(copy, { ...message, sends: 0, goesAgain: false, copy: true })
})

test('no garbage is a number, and none is JSON with a usable value', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...garbageKinds),
      fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.boolean(), fc.string()),
      fc.nat(1e6),
      (kind, value, number) => {
        const metric = busy.metrics[0]
        assert.ok(metric)
        const text = garbagePayload(kind, { metric, value, number, deviceTimeMs: startMs }).toString('latin1')
        assert.ok(text === '' || Number.isNaN(Number(text)), text)
        assert.equal(usableValue(text), undefined)
      },
    ),
  )
})

function usableValue(text: string): unknown {
  try {
    return (JSON.parse(text) as { value?: unknown }).value ?? undefined
  } catch {
    return undefined
  }
}
