/** Sources on the page of `holdfast status`: a line each. Pure. */
import type { SourceSection } from '../api/sources.ts'
import type { Told } from './concerns.ts'
import { age, grouped } from './terminal.ts'

/** What counters mean to a person; what is not here is well, or counted elsewhere. */
const words: Readonly<Record<string, string>> = {
  messages: 'messages',
  polls: 'polls',
  repeats: 'sent again',
  unrouted: 'that no route takes',
  too_large: 'too large',
  lost: 'lost: the store refused them',
  failures: 'failed',
  partial: 'answered in part',
  sessions_lost: 'sessions lost by the broker',
}

/** What stands behind the name, where it is from, and the state. */
export function sourceTexts(source: Told<SourceSection>, nowMs: number | undefined): readonly string[] {
  const { since_ms: since, next_attempt_ms: next, mqtt_version: mqtt, unanswered = 0, counters = {} } = source
  const counted = Object.entries(words).flatMap(([name, word]) => {
    const count = counters[name] ?? 0
    return count > 0 || name === 'messages' || name === 'polls' ? [[name, count, word] as const] : []
  })
  return [
    nowMs !== undefined && typeof since === 'number' ? `for ${age(nowMs - since)}` : '',
    nowMs !== undefined && typeof next === 'number' && next > nowMs ? `tries again in ${age(next - nowMs)}` : '',
    mqtt === undefined ? '' : `MQTT ${mqtt}`,
    unanswered > 0 ? `${grouped(unanswered)} under way` : '',
    ...counted.filter(([name]) => Object.hasOwn(counters, name)).map(([, count, word]) => `${grouped(count)} ${word}`),
  ]
}
