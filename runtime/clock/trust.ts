/**
 * May the wall clock be believed? Observed facts in, a verdict with its reason out. Pure: the facts are gathered by
 * facts.ts, and what follows from the verdict is board.ts.
 *
 * In this order, the first that has something to say (with `trust: auto`):
 *
 *   a hub that trusts its own clock   we agree: trusted. We are far off: its time is used instead of ours
 *   the uptime of this boot           tells the time once a strong witness was heard: a wall clock that was moved since is
 *                                     not believed, whatever a flag of half an hour ago says
 *   older than this program           untrusted: no such time ever was while this program ran
 *   a time service                    synchronised: trusted, and so a floor far ahead is disproved
 *   the persisted floor               further behind it than clocks honestly differ: untrusted
 *   a time service                    there, and not synchronised yet: untrusted
 *   a battery clock                   trusted
 *   nothing of these                  untrusted
 *
 * With `trust: always` only the floor is asked. Weak witnesses (a battery, a person's word) never disprove the floor;
 * strong ones (a time service, a hub) do, or one boot ten years ahead would leave a clock untrusted for ten years.
 */
import { earliestHonestMs } from './hybrid.ts'

export type TimeService = { readonly name: 'timesyncd' | 'chrony' | 'kernel'; readonly isSynchronised: boolean }

/** What the machine shows. */
export type MachineFacts = {
  readonly service: TimeService | undefined
  readonly hasBatteryClock: boolean
  /** How long the system has been up, asleep too, where it tells. */
  readonly uptimeMs?: number | undefined
}

export type ClockFacts = MachineFacts & {
  readonly wallMs: number
  /** The latest time that is known to have been: the floor of stamps. */
  readonly floorMs: number
  /** The time by the uptime of this boot, once a strong witness has said what time it is. */
  readonly knownMs: number | undefined
  /** What a hub that trusts its own clock says: our wall clock needs so much added, give or take the error. */
  readonly hub: { readonly offsetMs: number; readonly errorMs: number } | undefined
}

export type ClockRules = { readonly trust: 'auto' | 'always'; readonly maxAheadMs: number }

export type TimeSource = 'hub' | TimeService['name'] | 'battery' | 'config'

export type Verdict =
  /** The true time is the wall clock plus `offsetMs`, which is 0 unless the hub's time is used instead. */
  | { readonly state: 'trusted'; readonly source: TimeSource; readonly offsetMs: number; readonly reason: string }
  | Untrusted
export type Untrusted = { readonly state: 'untrusted'; readonly reason: string; readonly hint: string }

/** Clocks that differ by more do not both know the time. Battery clocks of healthy hubs drift by seconds a month. */
export const apartMs = 60_000

export function decide(rules: ClockRules, facts: ClockFacts): Verdict {
  const verdict = judge(rules, facts)
  return verdict.state === 'trusted' ? verdict : { ...verdict, hint: hintOf(rules, facts) }
}

type Judgement = (Verdict & { readonly state: 'trusted' }) | Omit<Untrusted, 'hint'>

function judge(rules: ClockRules, facts: ClockFacts): Judgement {
  if (rules.trust === 'always') return behindFloor(rules, facts) ?? trusted('config', 'the configuration says so')
  return (
    byHub(facts) ??
    wasMoved(facts) ??
    tooOld(facts) ??
    bySynchronisedService(facts) ??
    behindFloor(rules, facts) ??
    byWaitingService(facts) ??
    byBattery(facts)
  )
}

function trusted(source: TimeSource, reason: string, offsetMs = 0): Judgement {
  return { state: 'trusted', source, offsetMs, reason }
}

function untrusted(reason: string): Judgement {
  return { state: 'untrusted', reason }
}

/** What a person can do about it. */
function hintOf({ trust }: ClockRules, { service }: ClockFacts): string {
  if (trust === 'always') return 'set the clock of this machine'
  if (service === undefined) {
    return 'enable a time service (systemd-timesyncd or chrony), or set clock.trust: always where something else keeps it right'
  }
  return service.isSynchronised
    ? `see what moves it beside ${service.name}`
    : `it comes right by itself once ${service.name} reaches a time server`
}

/** Over a slow link a small difference may be the link's: then the hub has said nothing. */
function byHub({ hub }: ClockFacts): Judgement | undefined {
  if (hub === undefined) return undefined
  const { offsetMs, errorMs } = hub
  if (Math.abs(offsetMs) + errorMs <= apartMs) return trusted('hub', 'the hub says the same time')
  if (Math.abs(offsetMs) - errorMs <= apartMs) return undefined
  const how = offsetMs > 0 ? 'behind' : 'ahead'
  const off = `our clock is ${span(Math.abs(offsetMs))} ${how}`
  return trusted('hub', `the time is the hub's, because ${off}`, Math.round(offsetMs))
}

function wasMoved({ wallMs, knownMs }: ClockFacts): Judgement | undefined {
  if (knownMs === undefined || Math.abs(wallMs - knownMs) <= apartMs) return undefined
  return untrusted(`the clock was moved ${span(Math.abs(wallMs - knownMs))} since the time was known`)
}

function tooOld({ wallMs }: ClockFacts): Judgement | undefined {
  return wallMs < earliestHonestMs ? untrusted('the clock shows a time before this program was made') : undefined
}

function bySynchronisedService({ service }: ClockFacts): Judgement | undefined {
  return service?.isSynchronised === true ? trusted(service.name, 'synchronised since this boot') : undefined
}

function behindFloor({ maxAheadMs }: ClockRules, { wallMs, floorMs }: ClockFacts): Judgement | undefined {
  const behindMs = floorMs - wallMs
  if (behindMs <= maxAheadMs) return undefined
  return untrusted(`the clock is ${span(behindMs)} behind what it showed before`)
}

function byWaitingService({ service }: ClockFacts): Judgement | undefined {
  return service === undefined ? undefined : untrusted(`${service.name} has not synchronised it yet`)
}

function byBattery({ hasBatteryClock }: ClockFacts): Judgement {
  return hasBatteryClock
    ? trusted('battery', 'there is a clock with a battery, and nothing says that it is wrong')
    : untrusted('there is no clock with a battery, and no time service')
}

/** A length of time for a sentence. */
export function span(ms: number): string {
  const units: readonly [number, string][] = [
    [365.25 * 86_400_000, 'years'],
    [86_400_000, 'days'],
    [3_600_000, 'hours'],
    [60_000, 'minutes'],
  ]
  const [size, name] = units.find(([unitMs]) => ms >= 2 * unitMs) ?? [1000, 'seconds']
  return `${Math.round(ms / size)} ${name}`
}
