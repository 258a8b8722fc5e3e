/**
 * What a topic, a filter or a name may look like, and which filters match which topics. Pure.
 * One place for these rules, so that the fast path and aedes' path cannot disagree [A8].
 */
import { isUtf8 } from 'node:buffer'
import type { BrokerLimits } from './limits.ts'

export type TopicFault =
  | 'topic_empty'
  | 'topic_bytes'
  | 'topic_levels'
  | 'topic_characters'
  | 'topic_wildcard'
  | 'topic_system'

type TopicLimits = Pick<BrokerLimits, 'topicBytesMax' | 'topicLevelsMax'>

/** Raw bytes of a topic that a client publishes to. `undefined` if they are fit. */
export function topicBytesFault(bytes: Buffer, limits: TopicLimits): TopicFault | undefined {
  if (bytes.length > limits.topicBytesMax) return 'topic_bytes'
  if (!isUtf8(bytes)) return 'topic_characters'
  return topicFault(bytes.toString('utf8'), limits)
}

/** A topic that somebody on the LAN publishes to, a will's included. `undefined` if it is fit. */
export function topicFault(topic: string, limits: TopicLimits): TopicFault | undefined {
  if (topic.length === 0) return 'topic_empty'
  if (Buffer.byteLength(topic) > limits.topicBytesMax) return 'topic_bytes'
  // Overriding aedes' hook removes its own protection of $SYS, so it stands here [F6].
  if (topic.startsWith('$')) return 'topic_system'
  if (topic.includes('#') || topic.includes('+')) return 'topic_wildcard'
  if (isUnfit(topic)) return 'topic_characters'
  if (levelsOf(topic) > limits.topicLevelsMax) return 'topic_levels'
  return undefined
}

/** A filter may be one level longer than a topic if that level is `#`: `a/#` matches `a` too. */
export function isFilterFit(filter: string, limits: TopicLimits): boolean {
  if (filter.length === 0 || Buffer.byteLength(filter) > limits.topicBytesMax || isUnfit(filter)) return false
  const levels = filter.split('/')
  const depth = levels.at(-1) === '#' ? levels.length - 1 : levels.length
  if (depth > limits.topicLevelsMax) return false
  return levels.every(
    (level, index) =>
      (!level.includes('#') || (level === '#' && index === levels.length - 1)) &&
      (!level.includes('+') || level === '+'),
  )
}

/** A client id or user name. U+FFFD stands for bytes that were no UTF-8. */
export function isNameFit(name: string, bytesMax: number): boolean {
  return Buffer.byteLength(name) <= bytesMax && !isUnfit(name) && !name.includes('\ufffd')
}

/** Does a filter match a topic? Wildcards at the first level never match a `$` topic [MQTT-4.7.2-1]. */
export function filterMatches(filter: string, topic: string): boolean {
  if (topic.startsWith('$') && (filter.startsWith('#') || filter.startsWith('+'))) return false
  const wanted = filter.split('/')
  const levels = topic.split('/')
  for (let i = 0; i < wanted.length; i++) {
    if (wanted[i] === '#') return true
    if (i >= levels.length) return false
    if (wanted[i] !== '+' && wanted[i] !== levels[i]) return false
  }
  return wanted.length === levels.length
}

function levelsOf(topic: string): number {
  let levels = 1
  for (let i = topic.indexOf('/'); i >= 0; i = topic.indexOf('/', i + 1)) levels += 1
  return levels
}

/** Control characters and non-characters. [MQTT-1.5.3-2] forbids U+0000; the others only mislead logs and terminals. */
function isUnfit(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i)
    if (code < 0x20 || (code >= 0x7f && code <= 0x9f) || code >= 0xfffe) return true
  }
  return false
}
