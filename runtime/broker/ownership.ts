/**
 * Whose sessions are: what is kept under a client id belongs to the user who left it, and is judged by what that one may
 * do now [A3, A5].
 *
 * Promises: as long as a user may come in, nobody else gets the messages of its sessions or can end them; what a client may
 * not have any more is taken from its session, whether it is here or away.
 */
import type { Visitor } from './access.ts'
import type { Queues } from './queues.ts'
import type { Session } from './session.ts'
import type { Tally } from './tally.ts'

/** What a user may do as this client, though it is not connected; undefined: it may not come in. */
export type StandIn = (user: string, client: string) => Visitor | undefined

type Parts = {
  readonly sessions: ReadonlyMap<string, Session>
  readonly messages: Queues
  readonly tally: Tally
  readonly end: (session: Session) => void
  readonly unsubscribe: (id: string, filters: readonly string[]) => Promise<void>
}

export class Ownership {
  readonly #parts: Parts

  constructor(parts: Parts) {
    this.#parts = parts
  }

  /** Is what is kept under this client id another user's? What nobody in particular has left is for whoever comes. */
  isAnothers(id: string, user: string, standIn: StandIn): boolean {
    const session = this.#parts.sessions.get(id)
    if (!session || session.user === '' || session.user === user) return false
    if (standIn(session.user, id) !== undefined) return true
    this.#parts.end(session)
    return false
  }

  /** Who may come in and do what has changed: what is kept of clients is judged again, but of those who stay. */
  review(standIn: StandIn, stays: (id: string) => boolean): void {
    for (const session of this.#parts.sessions.values()) {
      if (session.connections > 0 && stays(session.id)) continue
      const visitor = standIn(session.user, session.id)
      if (visitor) this.judge(session, visitor)
      else this.#parts.end(session)
    }
  }

  /** Takes from a session what its client may not have any more. */
  judge(session: Session, visitor: Visitor): void {
    const { messages, tally, unsubscribe } = this.#parts
    const { id, filters, queue } = session
    for (const entry of queue.values()) {
      const { cmd, topic } = entry.packet
      if (cmd === 'publish' && !visitor.mayReceive(topic)) messages.done(session, entry)
    }
    const denied = [...filters.keys()].filter(filter => !visitor.maySubscribe(filter))
    if (denied.length === 0) return
    tally.add('subscriptions_ended', denied.length)
    // If it cannot be written now, the client is judged again when it comes.
    unsubscribe(id, denied).catch(() => undefined)
  }
}
