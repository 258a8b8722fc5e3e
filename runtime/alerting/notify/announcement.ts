/**
 * What the local broker is told of alerts, so that a lamp or a screen needs no cloud. Pure.
 *
 *   holdfast/alerts/<rule>/<device>/<metric>       one alert: its row, its key, what happened, and the how manieth telling
 *   holdfast/alert-groups/<label value>/...        all alerts of a group that fire, and those that ended since it was told
 *
 * QoS 1, not retained.
 */
import type { AlertRow } from '../../../rules/alert/alert.ts'
import { labelsOf } from '../../../rules/alert/silence.ts'
import type { Case } from './case.ts'

/** `repeated`: it was told before, and fires still. */
export type Event = 'firing' | 'repeated' | 'acknowledged' | 'latched' | 'resolved'

export type Announcement = { readonly topic: string; readonly payload: string }

/** A row of the table as an alert, if it is one: anybody may write there. */
export function alertOf(value: unknown): AlertRow | undefined {
  if (typeof value !== 'object' || value === null) return undefined
  const row = value as AlertRow
  const isAlert = [row.rule, row.device, row.metric].every(name => typeof name === 'string')
  return isAlert && ['firing', 'latched', 'resolved'].includes(row.state) ? row : undefined
}

/** What is told of a case as it stands. */
export function eventOf({ phase, told }: Case): Event {
  return phase === 'firing' && told === 'firing' ? 'repeated' : phase
}

export function announcementOf(key: string, row: AlertRow, state: Case): Announcement {
  const event = eventOf(state)
  const notification = state.notifications + Number(state.phase === 'firing')
  return {
    topic: ['holdfast/alerts', ...[row.rule, row.device, row.metric].map(topicLevel)].join('/'),
    payload: JSON.stringify({ key, event, notification, ...row }),
  }
}

/** A name as one level of a topic. */
export function topicLevel(name: string): string {
  return name.replaceAll(/[/+#\0]/g, '_')
}

/** Which group an alert belongs to: the labels that groups are made by, each with its value here; null without groups. */
export function groupOf(groupBy: readonly string[], row: AlertRow): Case['group'] {
  if (groupBy.length === 0) return null
  const labels = labelsOf(row)
  return Object.fromEntries(groupBy.map(name => [name, Object.hasOwn(labels, name) ? (labels[name] ?? '') : '']))
}

export type Member = { readonly key: string; readonly isOver: boolean }

/**
 * What a group is told, in the order in which its alerts fired. Rows go without their snippets; where even so they do
 * not all fit, the newest do, and the counts tell of all: of a large group only those rows are looked at.
 */
export function groupAnnouncement(
  group: NonNullable<Case['group']>,
  members: readonly Member[],
  rowOf: (key: string) => AlertRow | undefined,
  bytesMax: number,
): Announcement {
  const told: { readonly isOver: boolean; readonly row: object }[] = []
  let bytes = 0
  for (const { key, isOver } of members.toSorted(newestFirst)) {
    const row = rowOf(key)
    if (!row) continue
    const { snippet: _, ...rest } = row
    const shown = { key, ...rest }
    bytes += Buffer.byteLength(JSON.stringify(shown)) + 1
    if (bytes > bytesMax) break
    told.push({ isOver, row: shown })
  }
  const rows = (isOver: boolean): object[] =>
    told
      .filter(one => one.isOver === isOver)
      .map(({ row }) => row)
      .toReversed()
  const over = members.filter(({ isOver }) => isOver).length
  const payload = {
    group,
    firing: rows(false),
    resolved: rows(true),
    counts: { firing: members.length - over, resolved: over },
  }
  // An empty level would be a topic that nobody subscribes to on purpose.
  const levels = Object.values(group).map(value => topicLevel(value) || '_')
  return { topic: ['holdfast/alert-groups', ...levels].join('/'), payload: JSON.stringify(payload) }
}

/** A key ends with the time at which its alert fired, in 13 digits. */
function newestFirst(one: Member, other: Member): number {
  const [time, otherTime] = [one.key.slice(-13), other.key.slice(-13)]
  if (time !== otherTime) return time < otherTime ? 1 : -1
  return one.key < other.key ? 1 : -1
}
