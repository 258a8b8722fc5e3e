/**
 * What a gateway may do on the hub's listener: write its own `up`, read its own `down`, nothing else. A gateway is its
 * MQTT user, so no gateway can speak for another or hear another. Pure: the broker asks it about each topic.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { filterOf, parseTopic, topicOf } from '../replication/protocol.ts'

/** True if the user may publish to this topic, or subscribe to this filter. False for everything that is not ours. */
export function gatewayMay(user: string, topic: string, action: 'publish' | 'subscribe'): boolean {
  if (action === 'publish') {
    const parsed = parseTopic(topic)
    return parsed !== undefined && parsed.gateway === user && parsed.direction === 'up'
  }
  const parsed = parseTopic(topic)
  if (parsed !== undefined) return parsed.gateway === user && parsed.direction === 'down'
  // The one filter with a wildcard that our own link uses; a user named `+` or `#` is no name.
  return topic === filterOf(user, 'down') && parseTopic(`${topic.slice(0, -1)}hello`) !== undefined
}

/** Who is behind each client of the hub's listener: a gateway is its MQTT user, with a password where one is set. */
export class GatewayUsers {
  readonly #passwords: ReadonlyMap<string, string> | undefined
  readonly #byClient = new Map<string, string>()

  /** The password of each gateway by its id; undefined lets in any gateway that names itself. */
  constructor(passwords: ReadonlyMap<string, string> | undefined) {
    this.#passwords = passwords
  }

  /** May this client come in? A client id in use by one gateway is not given to another [A5]. */
  admit(user: string | undefined, password: Buffer | undefined, client: string, connected: readonly string[]): boolean {
    if (user === undefined || parseTopic(topicOf(user, 'up', 'hello')) === undefined) return false
    if (this.#passwords && !isPassword(this.#passwords.get(user), password)) return false
    if (this.#byClient.has(client) && this.#byClient.get(client) !== user && connected.includes(client)) return false
    for (const known of this.#byClient.keys()) if (!connected.includes(known)) this.#byClient.delete(known)
    this.#byClient.set(client, user)
    return true
  }

  may(client: string, topic: string, action: 'publish' | 'subscribe'): boolean {
    const user = this.#byClient.get(client)
    return user !== undefined && gatewayMay(user, topic, action)
  }
}

/** Compares in constant time, whatever the lengths are. */
function isPassword(expected: string | undefined, given: Buffer | undefined): boolean {
  if (expected === undefined || given === undefined) return false
  const digest = (text: Buffer | string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(expected), digest(given))
}
