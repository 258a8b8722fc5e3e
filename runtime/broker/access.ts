/**
 * The door by which the broker asks who is there and what that one may do. Types, and the visitor of a broker that asks
 * nobody. The broker knows nothing of users, roles or passwords; whoever opens it hands it these answers [A3, A5].
 */

/** What a client has shown with its CONNECT. Its password must go nowhere but into a comparison. */
export type Login = {
  readonly user: string | undefined
  readonly password: Buffer | undefined
  /** The client id, made up where the client left it out. */
  readonly client: string
  /** The common name of its certificate, if an authority of ours has signed one. */
  readonly certificateName: string | undefined
  readonly address: string
  /** Nobody waits for the answer any more: the connection has closed. */
  readonly isGone: () => boolean
}

/**
 * A client that was let in, as long as its connection lasts. Its answers are asked for with each message, so they
 * must come at once and remember what is costly.
 */
export type Visitor = {
  /** Client ids and what is kept under them belong to a user; the empty one is everybody without a name. */
  readonly user: string
  readonly mayPublish: (topic: string) => boolean
  /** Of a filter: may it have every message that this filter can match? */
  readonly maySubscribe: (filter: string) => boolean
  readonly mayReceive: (topic: string) => boolean
  /** May its readings be of this device? Undefined: of any. */
  readonly mayName: ((device: string) => boolean) | undefined
  /** Would it be let in again, with the same rights? No, once its user was removed or has changed. */
  readonly isCurrent: () => boolean
}

/** `denied`: nobody with such a name and password. `busy`: too many wait to be let in; it may try again. */
export type Admission = Visitor | 'denied' | 'busy'

export type Access = {
  /** Whose login is this? Must neither throw nor reject. */
  readonly authenticate: (login: Login) => Admission | Promise<Admission>
  /**
   * What this user may do as this client now, without a login: asked about what was kept of a client that is away.
   * Undefined: it may not come in any more.
   */
  readonly standIn: (user: string, client: string) => Visitor | undefined
}

const yes = (): boolean => true

/** Everybody, where nobody is asked. `$SYS` tells the id of every client: not even then [A3]. */
export const anybody: Visitor = {
  user: '',
  mayPublish: yes,
  maySubscribe: filter => !filter.startsWith('$'),
  mayReceive: yes,
  mayName: undefined,
  isCurrent: yes,
}

export const openToAll: Access = { authenticate: () => anybody, standIn: () => anybody }
