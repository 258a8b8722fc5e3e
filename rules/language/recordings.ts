/**
 * Recordings that feed each other in a circle: each reading of one would make one of the next, for ever, and fill the disk.
 * Pure. Looks at what their files say; patterns that may name the same device count as if they do.
 */
import type { Path } from '../../runtime/document.ts'
import { recordingsMax } from '../limits.ts'
import { matchesPattern } from '../match.ts'
import { type Fault, has, mapOf, type RuleOutline, textOf } from './outline.ts'
import { tableDefault } from './values.ts'

export type Recording = {
  readonly name: string
  readonly path: Path
  /** What it is written as. */
  readonly into: string
  /** What it is made of. */
  readonly table: string
  readonly device: string
  readonly metric: string
}

/** Undefined where this is no recording, or one that has been found wrong. */
export function recordingOf(rule: RuleOutline, path: Path): Recording | undefined {
  const name = textOf(rule['record'])
  if (name === undefined || has(rule, 'alert')) return undefined
  const match = mapOf(rule['match']) ?? {}
  const text = (value: unknown, otherwise: string): string => textOf(value) ?? otherwise
  return {
    name,
    path,
    into: text(rule['into'], tableDefault),
    table: text(match['table'], tableDefault),
    device: text(match['device'], '*'),
    metric: text(match['metric'], '*'),
  }
}

/** What is wrong with each of them, in their order. */
export function circleFaults(recordings: readonly Recording[]): (Fault | undefined)[] {
  const known = recordings.slice(0, recordingsMax)
  const ofTable = new Map<string, Recording[]>()
  for (const each of known) ofTable.set(each.table, [...(ofTable.get(each.table) ?? []), each])
  const fedBy = (from: Recording): Recording[] => (ofTable.get(from.into) ?? []).filter(to => feeds(from, to))
  const finished = new Set<Recording>()
  const circles = new Map<Recording, readonly Recording[]>()
  for (const start of known) search(start, fedBy, finished, circles)
  return recordings.map((each, index) => {
    if (index > recordingsMax) return undefined
    const path = [...each.path, 'record']
    if (index === recordingsMax) return { path, message: `more than ${recordingsMax} recordings in all files` }
    const circle = circles.get(each)
    return circle && { path, message: sentenceOf(each, circle) }
  })
}

/** Depth first, without recursion: whoever leads back to one that is still being followed closes a circle. */
function search(
  start: Recording,
  fedBy: (from: Recording) => Recording[],
  finished: Set<Recording>,
  circles: Map<Recording, readonly Recording[]>,
): void {
  if (finished.has(start)) return
  const trail = [{ at: start, next: fedBy(start) }]
  const followed = new Map([[start, 0]])
  for (let step = trail.at(-1); step; step = trail.at(-1)) {
    const to = step.next.pop()
    if (to === undefined) {
      finished.add(step.at)
      followed.delete(step.at)
      trail.pop()
      continue
    }
    const begin = followed.get(to)
    if (begin !== undefined) {
      if (!circles.has(step.at)) circles.set(step.at, [...trail.slice(begin).map(({ at }) => at), to])
    } else if (!finished.has(to)) {
      followed.set(to, trail.length)
      trail.push({ at: to, next: fedBy(to) })
    }
  }
}

function feeds(from: Recording, to: Recording): boolean {
  return from.into === to.table && matchesPattern(to.metric, from.name) && mayMeet(from.device, to.device)
}

/** Whether two patterns can fit one name, as far as their beginnings and ends tell. */
function mayMeet(a: string, b: string): boolean {
  if (!a.includes('*')) return matchesPattern(b, a)
  if (!b.includes('*')) return matchesPattern(a, b)
  const [headA, headB] = [a, b].map(text => text.slice(0, text.indexOf('*'))) as [string, string]
  const [tailA, tailB] = [a, b].map(text => text.slice(text.lastIndexOf('*') + 1)) as [string, string]
  const heads = headA.startsWith(headB) || headB.startsWith(headA)
  return heads && (tailA.endsWith(tailB) || tailB.endsWith(tailA))
}

function sentenceOf({ table, metric }: Recording, circle: readonly Recording[]): string {
  if (circle.length > 2) {
    return `"record": feeds itself in a circle: ${circle.map(({ name }) => name).join(' → ')}; name other metrics in match`
  }
  return `"record": feeds itself: its match takes metric "${metric}" of table "${table}", and there it is written; name the metric in match`
}
