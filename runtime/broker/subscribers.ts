/**
 * Which sessions must be given a message on a topic. Asked once per topic, then remembered until a subscription changes.
 */
import type { Recipient } from './queues.ts'
import type { Session, Subscription } from './session.ts'
import { filterMatches } from './topics.ts'

export type SessionSubscription = Subscription & { readonly clientId: string }
type Matches = { readonly all: readonly SessionSubscription[]; readonly recipients: readonly Recipient[] }

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
  recipients(topic: string): readonly Recipient[] {
    return this.#matching(topic).recipients
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
    for (const session of this.#sessions.values()) {
      const fitting = [...session.filters.values()].filter(
        ({ topic: filter, qos }) => qos > 0 && filterMatches(filter, topic),
      )
      const [first] = fitting
      if (first === undefined) continue
      recipients.push({ session, qos: fitting.reduce((most, { qos }) => (qos > most ? qos : most), first.qos) })
      all.push(...fitting.toReversed().map(subscription => ({ clientId: session.id, ...subscription })))
    }
    found = { all, recipients }
    if (this.#matches.size >= remembered) this.#matches.clear()
    this.#matches.set(topic, found)
    return found
  }
}
