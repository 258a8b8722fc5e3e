/**
 * Lets clients in: asks the access door whose each login is, and binds client ids to users.
 *
 * Promises: a client id that one user's connection holds is given to no other user, from the moment the first was let in
 * until its connection has closed, nor is one of whose session something is kept [A5]; an answer that comes late, or fails, lets nobody in.
 */
import { messageOf } from '../errors.ts'
import type { Access, Admission, Login, Visitor } from './access.ts'
import type { Tally } from './tally.ts'

/** Why a login was refused, and the CONNACK code to say it with. */
export type LoginRefusal = { readonly cause: 'login' | 'login_busy' | 'client_id_taken'; readonly returnCode: number }

type Held = { visitor: Visitor; connections: number }

const serverUnavailable = 3
const notAuthorized = 5

export class Guests {
  readonly #access: Access
  readonly #tally: Tally
  /** Is what is kept under this client id another user's? */
  #isKeptForAnother: (client: string, user: string) => boolean = () => false
  /** By client id: who holds it, with how many connections (two, while one takes the other over). */
  readonly #held = new Map<string, Held>()

  constructor(access: Access, tally: Tally) {
    this.#access = access
    this.#tally = tally
  }

  /** Also away, a user keeps the ids of its sessions. */
  heed(isKeptForAnother: (client: string, user: string) => boolean): void {
    this.#isKeptForAnother = isKeptForAnother
  }

  /** Calls back once, with the visitor or why there is none; at once if the door answers at once. */
  admit(login: Login, done: (visitor: Visitor | undefined, refusal?: LoginRefusal) => void): void {
    const take = (admission: Admission): void => {
      if (typeof admission !== 'string') return this.#bind(login, admission, done)
      if (admission === 'busy') return done(undefined, { cause: 'login_busy', returnCode: serverUnavailable })
      done(undefined, { cause: 'login', returnCode: notAuthorized })
    }
    const fail = (error: unknown): void => {
      this.#tally.warn('broker_error', 'A login could not be judged', { error: messageOf(error) })
      done(undefined, { cause: 'login', returnCode: notAuthorized })
    }
    let admission: Admission | Promise<Admission>
    try {
      admission = this.#access.authenticate(login)
    } catch (error) {
      return fail(error)
    }
    if (admission instanceof Promise) admission.then(take, fail)
    else take(admission)
  }

  /** The connection of a client that was let in has closed. */
  leave(client: string): void {
    const held = this.#held.get(client)
    if (held === undefined) return
    held.connections -= 1
    if (held.connections === 0) this.#held.delete(client)
  }

  /** Who is connected with this client id. */
  visitorOf(client: string): Visitor | undefined {
    return this.#held.get(client)?.visitor
  }

  /** Who would be, were it connected: for what was kept of a client that is away. */
  standIn(user: string, client: string): Visitor | undefined {
    return this.#access.standIn(user, client)
  }

  #bind(
    { client }: Login,
    visitor: Visitor,
    done: (visitor: Visitor | undefined, refusal?: LoginRefusal) => void,
  ): void {
    const held = this.#held.get(client)
    const isHeld = held !== undefined && held.visitor.user !== visitor.user
    if (isHeld || this.#isKeptForAnother(client, visitor.user)) {
      return done(undefined, { cause: 'client_id_taken', returnCode: notAuthorized })
    }
    if (held === undefined) this.#held.set(client, { visitor, connections: 1 })
    else {
      held.connections += 1
      held.visitor = visitor
    }
    done(visitor)
  }
}
