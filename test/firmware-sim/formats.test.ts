/**
 * Two programs agree: what firmware-sim says in a format, a gateway with the routes of examples/formats.yaml reads as the
 * same readings, whatever the names, values and times are; and what is garbage in a format is refused.
 */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, test } from 'node:test'
import * as fc from 'fast-check'
import type { Decoded } from '../../adapters/adapter.ts'
import {
  garbageKinds,
  type Beside,
  type Format,
  type Measured,
  type Payload,
  type Spoken,
  type Voice,
} from '../../firmware-sim/formats/format.ts'
import { formats } from '../../firmware-sim/formats/formats.ts'
import type { Metric } from '../../firmware-sim/waves.ts'
import { systemDoors } from '../../runtime/config/doors.ts'
import { loadConfig } from '../../runtime/config/load.ts'
import { Routes } from '../../runtime/ingest/routes.ts'
import { openRoute } from '../../runtime/intake.ts'
import type { Json, Reading } from '../../runtime/reading.ts'
import { message, remember } from '../adapters/message.ts'

const loaded = loadConfig('examples/formats.yaml', readFileSync('examples/formats.yaml', 'utf8'), systemDoors())
assert.ok(loaded.ok, JSON.stringify(loaded))
const routes = new Routes(loaded.config.routes.map(openRoute))

/** A gateway's reader, with what it has been asked to remember. */
function reader() {
  const known = new Map<string, Json>()
  return (said: { topic: string; payload: Payload; anew?: (() => Payload) | undefined }): Decoded => {
    const found = routes.find(said.topic) ?? assert.fail(`no route takes ${said.topic}`)
    const payload = Buffer.from(said.anew?.() ?? said.payload)
    const decoded = found.route.adapter.decode(payload, found.levels, message(said.topic, known))
    remember(known, decoded)
    return decoded
  }
}

/** Letters at both ends: marks that join names are no part of one. */
const part = fc
  .array(fc.constantFrom(...'a b c Z 0 1 9 - _ . : = , " é ° { }'.split(' '), ' '), { maxLength: 12 })
  .map(characters => `a${characters.join('')}z`)
const name = fc.oneof(
  part,
  fc.tuple(part, part).map(parts => parts.join('.')),
  fc.constantFrom('plant.line.press', 'plant.line'),
)
const word = fc.string({ unit: 'grapheme', maxLength: 20 }).map(text => `w${text}`)
const value = fc.oneof(
  fc.double({ noNaN: true, noDefaultInfinity: true }).map(number => number + 0),
  fc.integer(),
  fc.boolean(),
  word,
)
const said = fc.record({
  device: name,
  metric: name,
  unit: fc.option(fc.constantFrom('°C', 'mm/s', '%', 'kWh'), { nil: undefined }),
  value,
  timeMs: fc.integer({ min: Date.UTC(2001, 0), max: Date.UTC(2090, 0) }),
  withId: fc.boolean(),
  withTime: fc.boolean(),
})

function open(format: Format, { device, metric, unit, value: measured, timeMs, withId, withTime }: Said) {
  const wave = { kind: 'constant', value: measured } as const
  const made: Metric = { name: metric, wave, noise: 0, decimals: 9, unit, everyMs: 1_000, script: [] }
  fc.pre(format.complaint?.(device, [made]) === undefined)
  const topic = (format.topic ?? `${format.name === 'number' ? 'numbers' : 'sensors'}/{device}/{metric}`).replaceAll(
    '{device}',
    device,
  )
  const voice = format.open({ name: device, topic, metrics: [made], withId, withTime, boot: 'b' })
  return { voice, measured: { metric: made, value: measured, deviceTimeMs: timeMs, number: 7 } satisfies Measured }
}
type Said = typeof said extends fc.Arbitrary<infer Each> ? Each : never

/** They have no place for a unit; of some metrics, whose names are known, it is known. */
const isUnitless = new Set(['number', 'influx-line', 'zigbee2mqtt', 'tasmota', 'shelly'])

/** As numbers a switch is 0 or 1, and texts are not for every format. */
const carries: Readonly<Record<string, (value: unknown) => boolean>> = {
  number: sent => typeof sent !== 'string',
}

function expectedOf({ name: format }: Format, { device, metric, value: sent, unit }: Said, spoken: Spoken): Reading {
  return {
    device,
    metric,
    value: format === 'number' ? Number(sent) : sent,
    deviceTimeMs: spoken.timeMs,
    id: spoken.id,
    unit: isUnitless.has(format) ? undefined : unit,
  }
}

for (const format of formats) {
  describe(`the format ${format.name}`, () => {
    test('is read as it was said, with each of its faults and without', () => {
      fc.assert(
        fc.property(said, fc.constantFrom(undefined, ...format.faults), (each, fault) => {
          fc.pre(carries[format.name]?.(each.value) !== false)
          const { voice, measured } = open(format, each)
          const read = reader()
          greet(voice, read)
          const spoken = voice.reading(measured, fault)
          const decoded = read(spoken)
          assert.ok(decoded.ok, !decoded.ok ? `${decoded.reason}: ${String(spoken.payload)}` : '')
          const expected = expectedOf(format, each, spoken)
          // A time that counts from the arrival is for the receiver to know.
          const arrived = fault === 'relative-time' ? { deviceTimeMs: (message().arrivalMs ?? 0) - 2_000 } : {}
          assert.deepEqual(decoded.readings, [{ ...expected, ...arrived }])
          assert.equal(decoded.more?.refused, undefined)
        }),
        { numRuns: 150 },
      )
    })

    test('has garbage that is refused, and chatter that is not', () => {
      fc.assert(
        fc.property(said, each => {
          fc.pre(carries[format.name]?.(each.value) !== false)
          const { voice, measured } = open(format, each)
          const read = reader()
          greet(voice, read)
          const { topic } = voice.reading(measured, undefined)
          for (const kind of garbageKinds) {
            const payload = voice.garbage(kind, measured)
            if (payload !== undefined) assert.equal(read({ topic, payload }).ok, false, `${kind}: ${String(payload)}`)
          }
          for (const fault of format.faults) {
            const beside = voice.beside?.(measured, fault)
            greet(voice, read)
            if (beside) assertAs(beside, read(beside), fault)
          }
        }),
        { numRuns: 50 },
      )
    })
  })
}

/** A new connection: all that is said on it is understood. */
function greet({ manners }: Voice, read: ReturnType<typeof reader>): void {
  manners?.will(birthMs)
  for (const greeting of manners?.greeting(birthMs) ?? []) {
    const decoded = read(greeting)
    assert.ok(decoded.ok, `${greeting.topic}: ${JSON.stringify(decoded)}`)
    assert.deepEqual(decoded.readings, [])
  }
}
const birthMs = Date.UTC(2026, 0)

function assertAs({ kind }: Beside, decoded: Decoded, fault: string): void {
  if (kind === 'garbage') assert.equal(decoded.ok, false, fault)
  else assert.deepEqual(decoded.ok && decoded.readings, [], fault)
}
