/**
 * Puts back in memory what the shelf held. Bounds hold here too: what they refuse, and what belongs to nothing any more,
 * is forgotten.
 */
import { Age, type AgeClock } from './age.ts'
import { keyOf, propertiesOf } from './forms.ts'
import { type Ledger, forget } from './ledger.ts'
import type { BrokerLimits } from './limits.ts'
import { type Queues, sizeOf } from './queues.ts'
import type { Retained } from './retained.ts'
import { type Message, Session } from './session.ts'
import type { Shelved } from './shelved.ts'
import type { Tally } from './tally.ts'
import type { Wills } from './wills.ts'

/** Messages of one start have their places in a range of their own, whatever the clock said. */
export const startOrders = 2 ** 32

/** Also where the count of starts itself was damaged. */
export function startsOf({ starts, messages }: Shelved): number {
  const newest = [...messages.keys()].reduce((most, order) => Math.max(most, order), 0)
  return Math.max(starts, Math.floor(newest / startOrders))
}

export type Rooms = {
  readonly limits: BrokerLimits
  readonly tally: Tally
  readonly clock: AgeClock
  readonly ledger: Ledger
  readonly sessions: Map<string, Session>
  readonly queues: Queues
  readonly retained: Retained
  readonly wills: Wills
}

export function restore(shelved: Shelved, rooms: Rooms): void {
  const { ledger, tally, wills } = rooms
  if (shelved.unreadable.length > 0) {
    tally.warn('unreadable', 'What was kept of sessions could not all be read, and was left out', {
      keys: shelved.unreadable.length,
    })
    ledger.later(shelved.unreadable.map(forget))
  }
  restoreSessions(shelved, rooms)
  restoreMessages(shelved, rooms)
  restoreRetained(shelved, rooms)
  for (const [client, will] of shelved.wills) wills.restore(client, will)
}

function restoreSessions(shelved: Shelved, { limits, clock, ledger, sessions, tally }: Rooms): void {
  const incoming = new Map<string, number[]>()
  for (const [client, messageId] of shelved.incoming) {
    const ids = incoming.get(client)
    if (ids) ids.push(messageId)
    else incoming.set(client, [messageId])
  }
  const clients = new Set([...shelved.subscriptions.keys(), ...incoming.keys(), ...shelved.presence.keys()])
  for (const message of shelved.messages.values()) for (const [client] of message.head.to ?? []) clients.add(client)
  const drop = (client: string): void => {
    const ids = incoming.get(client) ?? []
    ledger.later([keyOf.subscriptions(client), keyOf.presence(client)].map(forget))
    ledger.later(ids.map(messageId => forget(keyOf.incoming(client, messageId))))
  }
  for (const client of clients) {
    // It was to end with its connection, and that has ended [MQTT-3.1.2-23].
    if (shelved.presence.get(client)?.expiryMs === 0) {
      drop(client)
      continue
    }
    if (sessions.size >= limits.sessionsMax) {
      tally.warn('sessions_dropped', 'A session was dropped at the start: there are too many', { client })
      drop(client)
      continue
    }
    const session = new Session(client)
    const presence = shelved.presence.get(client)
    session.away = new Age(clock, presence?.away ?? { sinceMs: clock.trustedMs(), countedMs: 0 })
    session.upTo = presence?.upTo
    session.expiryMs = presence?.expiryMs
    session.user = presence?.user ?? ''
    session.isWritten = true
    for (const subscription of shelved.subscriptions.get(client) ?? [])
      session.filters.set(subscription.topic, subscription)
    for (const messageId of incoming.get(client) ?? []) session.incoming.set(messageId, remembered(messageId))
    sessions.set(client, session)
  }
}

function restoreMessages({ messages, deliveries }: Shelved, { clock, ledger, sessions, queues }: Rooms): void {
  for (const [order, { head, payload }] of messages) {
    const { topic, qos, to = [] } = head
    const bytes = sizeOf({ topic, payload, properties: propertiesOf(head) })
    const forms = deliveries.get(order)
    const marks = forms && new Set([...forms.keys()].map(client => keyOf.delivery(order, client)))
    const message: Message = { order, bytes, age: new Age(clock, head.age ?? noAge), left: 0, marks }
    const packet = {
      cmd: 'publish',
      topic,
      payload,
      qos,
      dup: false,
      messageId: undefined,
      properties: propertiesOf(head),
    }
    for (const [client, ownQos, { ids = [], retain = false } = {}] of to) {
      const session = sessions.get(client)
      const form = forms?.get(client)
      if (session && form?.done !== true)
        queues.restore(session, { ...packet, qos: ownQos, retain }, message, form, ids)
    }
    if (message.left === 0) ledger.later([keyOf.message(order), ...(marks ?? [])].map(forget))
  }
  for (const [order, forms] of deliveries) {
    if (!messages.has(order)) ledger.later([...forms.keys()].map(client => forget(keyOf.delivery(order, client))))
  }
}

function restoreRetained(shelved: Shelved, { clock, ledger, retained }: Rooms): void {
  for (const [topic, { head, payload }] of shelved.retained) {
    const packet = { cmd: 'publish', topic, payload, qos: head.qos, retain: true, properties: propertiesOf(head) }
    if (!retained.store(packet, new Age(clock, head.age ?? noAge))) ledger.later([forget(keyOf.retained(topic))])
  }
}

const noAge = { sinceMs: undefined, countedMs: 0 }
const nothing = Buffer.alloc(0)

/** A QoS 2 publish of which only the id matters any more. */
const remembered = (messageId: number) => ({
  cmd: 'publish',
  topic: '',
  payload: nothing,
  qos: 2 as const,
  retain: false,
  messageId,
})
