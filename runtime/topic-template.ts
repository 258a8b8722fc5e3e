/**
 * A user's template for the topics of a plain broker: `plant/{gateway}/{device}/{metric}`. Pure.
 *
 * Promises: a topic that comes out has no wildcard, no empty level and no control character; every name that is put in
 * matches [A-Za-z0-9_-]+, because NATS takes neither a dot (2.9) nor a space, and no broker a `+`, `#` or NUL. Each
 * other character becomes one `_`, so that a name stays readable and stays one level; the payload has it in full. An
 * entry for which no topic can be made is told by name, and never sent anywhere else.
 */
import { topicBytesMax, topicSlashesMax } from './limits.ts'

export const topicNames = ['gateway', 'table', 'device', 'metric', 'key', 'origin', 'unit'] as const
export type TopicName = (typeof topicNames)[number]
export type TopicValues = Readonly<Record<TopicName, string | undefined>>

export type Topic =
  | { readonly ok: true; readonly topic: string }
  | { readonly ok: false; readonly reason: 'topic-level-empty' | 'topic-too-long' }

export type TopicTemplate = {
  readonly text: string
  readonly names: readonly TopicName[]
  readonly topicOf: (values: TopicValues) => Topic
}

export type CompiledTopic =
  | { readonly ok: true; readonly template: TopicTemplate }
  | { readonly ok: false; readonly reason: string }

type Part = { readonly text: string } | { readonly name: TopicName }

const part = /\{([^{}]*)\}|([^{}]+)|[{}]/g

export function compileTopicTemplate(text: string): CompiledTopic {
  const reason = faultOf(text)
  if (reason !== undefined) return { ok: false, reason }
  const levels = text.split('/').map(partsOf)
  const names = levels.flat().flatMap(one => ('name' in one ? [one.name] : []))
  const faulty = names.find(name => !topicNames.includes(name))
  if (faulty !== undefined) {
    return {
      ok: false,
      reason: `there is no {${faulty}}: a topic may have ${topicNames.map(name => `{${name}}`).join(' ')}`,
    }
  }
  return { ok: true, template: { text, names, topicOf: values => render(levels, values) } }
}

function faultOf(text: string): string | undefined {
  if (text.split('/').some(level => level === '')) return 'a topic has no empty level and no slash at its ends'
  if (/[+#]/.test(text)) return 'a topic to publish to has no wildcards (+, #)'
  // Names stand in braces, so what is left without them must be text alone.
  const plain = text.replace(/\{[^{}/]*\}/g, '')
  if (/[{}]/.test(plain)) return 'a name stands in one pair of braces, within one level: {device}'
  if (/[\s\p{C}]/u.test(text)) return 'a topic has no spaces and no control characters'
  if (text.startsWith('$SYS/')) return 'topics below $SYS belong to the broker'
  if (text.split('/').length - 1 > topicSlashesMax)
    return `cloud brokers take at most ${topicSlashesMax} slashes in a topic`
  return undefined
}

function partsOf(level: string): Part[] {
  return [...level.matchAll(part)].map(([all, name]) =>
    name === undefined ? { text: all } : { name: name as TopicName },
  )
}

function render(levels: readonly (readonly Part[])[], values: TopicValues): Topic {
  const topic: string[] = []
  for (const level of levels) {
    const text = level.map(one => ('name' in one ? topicLevel(values[one.name] ?? '') : one.text)).join('')
    if (text === '') return { ok: false, reason: 'topic-level-empty' }
    topic.push(text)
  }
  const text = topic.join('/')
  return Buffer.byteLength(text) > topicBytesMax ? { ok: false, reason: 'topic-too-long' } : { ok: true, topic: text }
}

/** A name as a part of one topic level: one `_` for each character that some broker would not take. */
export const topicLevel = (name: string): string => name.replace(/[^A-Za-z0-9_-]/gu, '_')
