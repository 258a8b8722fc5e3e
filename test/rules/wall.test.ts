import assert from 'node:assert/strict'
import { describe, test } from 'node:test'
import fc from 'fast-check'
import { wallClockIn } from '../../rules/expression/wall.ts'

const zones = (
  'UTC Europe/Berlin America/New_York America/St_Johns Asia/Kathmandu Asia/Kolkata Australia/Lord_Howe ' +
  'Pacific/Apia Pacific/Chatham Africa/Casablanca America/Sao_Paulo'
).split(' ')

const formats = new Map(
  zones.map(timeZone => [
    timeZone,
    new Intl.DateTimeFormat('en-US', {
      timeZone,
      hourCycle: 'h23',
      weekday: 'short',
      hour: '2-digit',
      minute: '2-digit',
    }),
  ]),
)

function byIntl(zone: string, atMs: number): string {
  const parts = new Map(
    formats
      .get(zone)
      ?.formatToParts(atMs)
      .map(({ type, value }) => [type, value]),
  )
  return `${parts.get('weekday')?.toLowerCase()} ${parts.get('hour')}:${parts.get('minute')}`
}

function byClock(zone: string, atMs: number): string {
  const clock = wallClockIn(zone) ?? assert.fail(zone)
  const time = clock.timeOfDay(atMs)
  assert.deepEqual(time.split(':').map(Number), [clock.hour(atMs), clock.minute(atMs)])
  return `${clock.weekday(atMs)} ${time}`
}

describe('a clock on the wall', () => {
  test('shows what the calendar of its zone says, at any time and in any order of asking', () => {
    const time = fc.integer({ min: Date.UTC(1975, 0, 1), max: Date.UTC(2099, 11, 31) })
    fc.assert(
      fc.property(fc.constantFrom(...zones), fc.array(time, { minLength: 1, maxLength: 20 }), (zone, times) => {
        for (const atMs of [...times, ...times.toReversed()]) assert.equal(byClock(zone, atMs), byIntl(zone, atMs))
      }),
    )
  })

  test('follows daylight saving through every minute of the nights when it changes', () => {
    for (const [zone, night] of [
      ['Europe/Berlin', Date.UTC(2026, 2, 29)],
      ['Europe/Berlin', Date.UTC(2026, 9, 25)],
      ['America/St_Johns', Date.UTC(2010, 2, 14)],
      ['Australia/Lord_Howe', Date.UTC(2026, 3, 4, 12)],
    ] as const) {
      for (let minute = 0; minute < 360; minute++) {
        const atMs = night + minute * 60_000 + 59_999
        assert.equal(byClock(zone, atMs), byIntl(zone, atMs))
      }
    }
  })

  test('is not to be had for a zone that there is not', () => {
    assert.equal(wallClockIn('Europe/Nowhere'), undefined)
  })
})
