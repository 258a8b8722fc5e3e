/**
 * What a gateway may do on the hub's listener: write its own `up`, read its own `down`, nothing else. A gateway is its
 * MQTT user, so no gateway can speak for another or hear another. Pure: the broker asks it about each topic.
 */
import { createHash, timingSafeEqual } from 'node:crypto'
import { filterOf, parseTopic, topicOf } from '../replication/wire/protocol.ts'

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

/** The password of each gateway by its id, undefined for one that its certificate alone names. */
export type GatewayPasswords = ReadonlyMap<string, string | undefined>

/**
 * Who is behind each client of the hub's listener: a gateway is the name in its certificate, where the listener asks for
 * one, else its MQTT user, with a password where one is set.
 */
export class GatewayUsers {
  readonly #passwords: () => GatewayPasswords | undefined
  readonly #byClient = new Map<string, string>()

  /** Asked for each client, for passwords change; undefined lets in any gateway that names itself. */
  constructor(passwords: () => GatewayPasswords | undefined) {
    this.#passwords = passwords
  }

  /**
   * May this client come in? A client id in use by one gateway is not given to another [A5]. A certificate's name and an
   * MQTT user that differ are two gateways, of which one is not who it says.
   */
  admit(
    user: string | undefined,
    password: Buffer | undefined,
    client: string,
    connected: readonly string[],
    certificateName?: string,
  ): boolean {
    const name = certificateName ?? user
    if (name === undefined || (user !== undefined && user !== name)) return false
    if (parseTopic(topicOf(name, 'up', 'hello')) === undefined) return false
    if (!this.#knows(name, password, certificateName !== undefined)) return false
    if (this.#byClient.has(client) && this.#byClient.get(client) !== name && connected.includes(client)) return false
    for (const known of this.#byClient.keys()) if (!connected.includes(known)) this.#byClient.delete(known)
    this.#byClient.set(client, name)
    return true
  }

  #knows(name: string, password: Buffer | undefined, isCertified: boolean): boolean {
    const passwords = this.#passwords()
    if (passwords === undefined) return true
    const expected = passwords.get(name)
    if (expected === undefined) return isCertified && passwords.has(name)
    return isPassword(expected, password)
  }

  may(client: string, topic: string, action: 'publish' | 'subscribe'): boolean {
    const user = this.#byClient.get(client)
    return user !== undefined && gatewayMay(user, topic, action)
  }
}

/** What is wrong with a gateway whose configuration and certificate name two; undefined where they name one. */
export function twoNames(user: string | undefined, certificateName: string | undefined): string | undefined {
  if (user === undefined || certificateName === undefined || user === certificateName) return undefined
  const told = JSON.stringify(user.slice(0, 64))
  return `it calls itself ${told} and its certificate is that of "${certificateName.slice(0, 64)}": gateway.id must be its common name`
}

/** Compares in constant time, whatever the lengths are. */
function isPassword(expected: string, given: Buffer | undefined): boolean {
  if (given === undefined) return false
  const digest = (text: Buffer | string): Buffer => createHash('sha256').update(text).digest()
  return timingSafeEqual(digest(expected), digest(given))
}
