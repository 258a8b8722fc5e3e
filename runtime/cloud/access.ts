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

/** As much of a login as tells a gateway, and of a visitor as the broker asks (see the broker's access door). */
export type GatewayLogin = {
  readonly user: string | undefined
  readonly password: Buffer | undefined
  readonly certificateName: string | undefined
}
export type GatewayVisitor = {
  readonly user: string
  readonly mayPublish: (topic: string) => boolean
  readonly maySubscribe: (filter: string) => boolean
  readonly mayReceive: (topic: string) => boolean
  readonly mayName: undefined
  readonly isCurrent: () => boolean
}

/** The password of each gateway by its id, undefined for one that its certificate alone names. */
export type GatewayPasswords = ReadonlyMap<string, string | undefined>

/**
 * Who is behind each client of the hub's listener: a gateway is the name in its certificate, where the listener asks for
 * one, else its MQTT user, with a password where one is set. The broker's door, as far as gateways go through it.
 */
export class GatewayUsers {
  readonly #passwords: () => GatewayPasswords | undefined

  /** Asked for each client, for passwords change; undefined lets in any gateway that names itself. */
  constructor(passwords: () => GatewayPasswords | undefined) {
    this.#passwords = passwords
  }

  /** A certificate's name and an MQTT user that differ are two gateways, of which one is not who it says. */
  authenticate({ user, password, certificateName }: GatewayLogin): GatewayVisitor | 'denied' {
    const name = certificateName ?? user
    if (name === undefined || (user !== undefined && user !== name) || !isGatewayName(name)) return 'denied'
    return this.#knows(name, password, certificateName !== undefined) ? this.#visitor(name) : 'denied'
  }

  /** Sessions of gateways are clean: nothing is kept of one that is away. */
  standIn(): undefined {
    return undefined
  }

  #visitor(name: string): GatewayVisitor {
    const expected = this.#passwords()?.get(name)
    return {
      user: name,
      mayPublish: topic => gatewayMay(name, topic, 'publish'),
      maySubscribe: filter => gatewayMay(name, filter, 'subscribe'),
      mayReceive: topic => gatewayMay(name, topic, 'subscribe'),
      mayName: undefined,
      isCurrent: () => this.#passwords()?.get(name) === expected,
    }
  }

  #knows(name: string, password: Buffer | undefined, isCertified: boolean): boolean {
    const passwords = this.#passwords()
    if (passwords === undefined) return true
    const expected = passwords.get(name)
    if (expected === undefined) return isCertified && passwords.has(name)
    return isPassword(expected, password)
  }
}

/** A gateway's name can stand in a topic. */
const isGatewayName = (name: string): boolean => parseTopic(topicOf(name, 'up', 'hello')) !== undefined

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
