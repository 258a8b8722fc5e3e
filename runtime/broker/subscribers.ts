/**
 * Which sessions must be given a message on a topic. Asked once per topic, then remembered until a subscription changes.
 */
import type { Qos } from './publish.ts'
import type { Recipient } from './queues.ts'
import type { SubscriptionForm as Subscription } from './forms.ts'
import type { Session } from './session.ts'
import { filterMatches } from './topics.ts'

export type SessionSubscription = Subscription & { readonly clientId: string }
type Matches = {
  readonly all: readonly SessionSubscription[]
  readonly recipients: readonly Recipient[]
  /** Some of them want nothing of their own, so who publishes matters. */
  readonly hasNoLocal: boolean
}

const remembered = 4_096

export class Subscribers {
  readonly #sessions: ReadonlyMap<string, Session>
  readonly #matches = new Map<string, Matches>()
  /** Changes whenever an answer may. */
  revision = 0

  constructor(sessions: ReadonlyMap<string, Session>) {
    this.#sessions = sessions
  }

  /** Every subscription above QoS 0 that matches. */
  all(topic: string): readonly SessionSubscription[] {
    return this.#matching(topic).all
  }

  /** Each session once, with the greatest QoS of its subscriptions that match. */
  recipients(topic: string, publisher?: string): readonly Recipient[] {
    const { recipients, hasNoLocal } = this.#matching(topic)
    if (!hasNoLocal || publisher === undefined) return recipients
    return recipients.flatMap(recipient => {
      const { session } = recipient
      return session.id === publisher ? recipientOf(session, fittingOf(session, topic, true)) : [recipient] // [MQTT-3.8.3-3]
    })
  }

  /** As aedes counts: subscriptions above QoS 0, and clients with any. */
  get counts(): { subsCount: number; clientsCount: number } {
    const subscribed = [...this.#sessions.values()].filter(({ filters }) => filters.size > 0)
    const all = subscribed.flatMap(({ filters }) => [...filters.values()])
    return { subsCount: all.filter(({ qos }) => qos > 0).length, clientsCount: subscribed.length }
  }

  /** Sessions whose clients are not among those present, and what those subscribe to. */
  away(present: ReadonlySet<string>): { readonly clients: number; readonly subscriptions: number } {
    const away = [...this.#sessions.values()].filter(({ id }) => !present.has(id))
    return { clients: away.length, subscriptions: away.reduce((sum, { filters }) => sum + filters.size, 0) }
  }

  /** Clients that have this very filter. */
  clientsOf(filter: string): readonly string[] {
    return [...this.#sessions.values()].filter(({ filters }) => filters.has(filter)).map(({ id }) => id)
  }

  changed(): void {
    this.#matches.clear()
    this.revision += 1
  }

  #matching(topic: string): Matches {
    let found = this.#matches.get(topic)
    if (found) return found
    const all: SessionSubscription[] = []
    const recipients: Recipient[] = []
    let hasNoLocal = false
    for (const session of this.#sessions.values()) {
      const fitting = fittingOf(session, topic, false)
      const kept = fitting.filter(({ qos }) => qos > 0)
      if (kept.length === 0) continue
      recipients.push(...recipientOf(session, fitting))
      hasNoLocal ||= fitting.some(({ nl }) => nl === true)
      all.push(...kept.toReversed().map(subscription => ({ clientId: session.id, ...subscription })))
    }
    found = { all, recipients, hasNoLocal }
    if (this.#matches.size >= remembered) this.#matches.clear()
    this.#matches.set(topic, found)
    return found
  }
}

function fittingOf(session: Session, topic: string, isItsOwn: boolean): Subscription[] {
  return [...session.filters.values()].filter(
    ({ topic: filter, nl }) => !(isItsOwn && nl === true) && filterMatches(filter, topic),
  )
}

/**
 * One message for all of them: the greatest QoS, and every number, of those of QoS 0 too [MQTT-3.3.4-2, MQTT-3.3.4-4].
 * With QoS 0 alone nothing is kept.
 */
export function recipientOf(session: Session, fitting: readonly Partial<Subscription>[]): Recipient[] {
  const ids = fitting.flatMap(({ subscriptionIdentifier: id }) => (id === undefined ? [] : [id]))
  const most = fitting.reduce<Qos>((best, { qos = 0 }) => (qos > best ? qos : best), 0)
  if (most === 0) return []
  return [{ session, qos: most, subscriptionIds: ids, keepsRetain: fitting.some(({ rap }) => rap === true) }]
}
