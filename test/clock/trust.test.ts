import assert from 'node:assert/strict'
import { describe, it } from 'node:test'
import { type ClockFacts, type Verdict, decide } from '../../runtime/clock/trust.ts'

const nowMs = Date.UTC(2030, 0, 1)
const hour = 3_600_000
const year = 365.25 * 24 * hour
const facts = (fields: Partial<ClockFacts> = {}): ClockFacts => ({
  wallMs: nowMs,
  floorMs: nowMs - hour,
  knownMs: undefined,
  hub: undefined,
  service: undefined,
  hasBatteryClock: false,
  ...fields,
})
const timesyncd = (isSynchronised: boolean) => ({ name: 'timesyncd' as const, isSynchronised })
const rules = { trust: 'auto', maxAheadMs: hour } as const

/** What the board shows, and what is to be thought of its clock: a source, or the reason against it. */
const table: readonly [string, Partial<ClockFacts>, string][] = [
  ['nothing at all', {}, 'there is no clock with a battery, and no time service'],
  ['a battery', { hasBatteryClock: true }, 'battery'],
  ['1970', { wallMs: 5_000, hasBatteryClock: true }, 'the clock shows a time before this program was made'],
  [
    '1970, synchronised',
    { wallMs: 5_000, service: timesyncd(true) },
    'the clock shows a time before this program was made',
  ],
  [
    'a day behind',
    { floorMs: nowMs + 24 * hour, hasBatteryClock: true },
    'the clock is 24 hours behind what it showed before',
  ],
  ['a little behind', { floorMs: nowMs + hour, hasBatteryClock: true }, 'battery'],
  [
    'a service that waits',
    { service: timesyncd(false), hasBatteryClock: true },
    'timesyncd has not synchronised it yet',
  ],
  ['a service', { service: timesyncd(true) }, 'timesyncd'],
  ['chrony', { service: { name: 'chrony', isSynchronised: true } }, 'chrony'],
  ['the kernel', { service: { name: 'kernel', isSynchronised: true } }, 'kernel'],
  ['a service, floor years ahead', { service: timesyncd(true), floorMs: nowMs + 10 * year }, 'timesyncd'],
  [
    'moved a day, though synchronised once',
    { knownMs: nowMs + 24 * hour, service: timesyncd(true) },
    'the clock was moved 24 hours since the time was known',
  ],
  ['where uptime says it is', { knownMs: nowMs + 5_000, service: timesyncd(true) }, 'timesyncd'],
  ['moved, but a hub agrees', { knownMs: nowMs + 24 * hour, hub: { offsetMs: 5, errorMs: 5 } }, 'hub'],
  ['a hub that agrees', { hub: { offsetMs: -900, errorMs: 200 } }, 'hub'],
  ['a hub that agrees, floor years ahead', { hub: { offsetMs: 900, errorMs: 200 }, floorMs: nowMs + 10 * year }, 'hub'],
  ['a hub far ahead', { hub: { offsetMs: 10 * year, errorMs: 200 }, hasBatteryClock: true }, 'hub +87660 h'],
  [
    'a hub far behind, though synchronised',
    { hub: { offsetMs: -2 * hour, errorMs: 9 }, service: timesyncd(true) },
    'hub -2 h',
  ],
  ['a hub, seen from 1970', { wallMs: 5_000, hub: { offsetMs: nowMs, errorMs: 9 } }, `hub +${nowMs / hour} h`],
  [
    'a link so slow that it may agree',
    { hub: { offsetMs: 70_000, errorMs: 30_000 } },
    'there is no clock with a battery, and no time service',
  ],
  ['a slow link, and a battery', { hub: { offsetMs: 70_000, errorMs: 30_000 }, hasBatteryClock: true }, 'battery'],
]

const told = (verdict: Verdict): string =>
  verdict.state === 'untrusted'
    ? verdict.reason
    : verdict.offsetMs === 0
      ? verdict.source
      : `${verdict.source} ${verdict.offsetMs > 0 ? '+' : ''}${verdict.offsetMs / hour} h`

describe('trust in the wall clock', () => {
  for (const [name, fields, expected] of table) {
    it(`is decided by what the board shows: ${name}`, () => assert.equal(told(decide(rules, facts(fields))), expected))
  }

  it('comes with what to do where it is withheld', () => {
    const hint = (fields: Partial<ClockFacts>, trust: 'auto' | 'always' = 'auto'): string => {
      const verdict = decide({ ...rules, trust }, facts(fields))
      return verdict.state === 'untrusted' ? verdict.hint : ''
    }
    assert.match(hint({}), /enable a time service \(systemd-timesyncd or chrony\), or set clock\.trust: always/)
    assert.equal(hint({ service: timesyncd(false) }), 'it comes right by itself once timesyncd reaches a time server')
    assert.equal(hint({ service: timesyncd(true), knownMs: nowMs + 24 * hour }), 'see what moves it beside timesyncd')
    assert.equal(hint({ wallMs: 0 }, 'always'), 'set the clock of this machine')
  })

  it('is given to a machine whose owner vouches for it, unless it is behind what it showed before', () => {
    const always = { ...rules, trust: 'always' } as const
    assert.equal(told(decide(always, facts({ hub: { offsetMs: 10 * year, errorMs: 1 } }))), 'config')
    assert.match(told(decide(always, facts({ wallMs: 0, service: timesyncd(true) }))), /60 years behind/)
  })
})
