/** The schedules of rules: cron expressions, zones, and holds that end where nobody looks. Pure. */
import type { Path } from '../../runtime/document.ts'
import { compileInstants, type Instants } from '../../runtime/schedule.ts'
import { formatDuration, parseDurationMs } from '../../runtime/units.ts'
import { type Fault, has, mapOf, type RuleOutline, textOf } from './outline.ts'

const cronCharactersMax = 100
const zoneCharactersMax = 100

type Read =
  | { readonly ok: true; readonly gapMs: number | undefined }
  | { readonly ok: false; readonly key: 'cron' | 'zone'; readonly message: string }

export type ScheduleCheck = (rule: RuleOutline, path: Path) => Fault[]

/** Schedules that many rules share are read once: each costs milliseconds. */
export function scheduleCheck(zoneDefault: string): ScheduleCheck {
  const known = new Map<string, Read>()
  return (rule, path) => {
    if (!has(rule, 'schedule')) return []
    const said = rule['schedule']
    const form = mapOf(said)
    const cron = textOf(form ? form['cron'] : said)
    const zone = textOf(form?.['zone']) ?? zoneDefault
    if (cron === undefined) return []
    const key = JSON.stringify([cron, zone])
    const read = known.get(key) ?? readSchedule(cron, zone)
    known.set(key, read)
    if (read.ok) return read.gapMs === undefined ? [] : holdFaults(rule, path, read.gapMs)
    const at = form ? [...path, 'schedule', read.key] : [...path, 'schedule']
    return [{ path: at, message: `"${form ? read.key : 'schedule'}": ${read.message}` }]
  }
}

function readSchedule(cron: string, zone: string): Read {
  if (cron.length > cronCharactersMax) {
    return { ok: false, key: 'cron', message: `longer than ${cronCharactersMax} characters` }
  }
  if (zone.length > zoneCharactersMax) {
    return { ok: false, key: 'zone', message: `longer than ${zoneCharactersMax} characters` }
  }
  const compiled = compileInstants(cron, zone)
  if (compiled.ok) return { ok: true, gapMs: gapMsOf(compiled.instants) }
  return { ok: false, key: compiled.key === 'zone' ? 'zone' : 'cron', message: compiled.reason }
}

const instantsLookedAt = 8

/** The least time between two moments of a schedule, as far as its first ones in some year tell. */
function gapMsOf(instants: Instants): number | undefined {
  let gapMs: number | undefined
  let last = instants.next(Date.UTC(2024, 0, 1))
  for (let count = 1; count < instantsLookedAt && last !== undefined; count++) {
    const next = instants.next(last)
    if (next === undefined) break
    gapMs = Math.min(gapMs ?? Infinity, next - last)
    last = next
  }
  return gapMs
}

/** A schedule judges at its moments only: a hold that ends before the next of them ends unseen. */
function holdFaults(rule: RuleOutline, path: Path, gapMs: number): Fault[] {
  return ['for', 'keep_firing_for'].flatMap(key => {
    const hold = textOf(rule[key])
    const holdMs = hold === undefined ? 0 : (parseDurationMs(hold) ?? 0)
    if (holdMs === 0 || holdMs >= gapMs) return []
    const message = `"${key}": shorter than the time between two moments of the schedule (${formatDuration(gapMs)}), so nobody looks again before it ends`
    return [{ path: [...path, key], message }]
  })
}
