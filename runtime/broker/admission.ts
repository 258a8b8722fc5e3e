/**
 * May this CONNECT come in, and may this client subscribe to that? Pure. What MQTT leaves to the server, and what aedes
 * lets through though it must not, is decided here [A3, A8, A9, A12].
 */
import type { Visitor } from './access.ts'
import type { BrokerLimits } from './limits.ts'
import { isFilterFit, isNameFit, topicFault } from './topics.ts'

/** The fields of a CONNECT as mqtt-packet parses it. */
export type ConnectFields = {
  readonly clientId: string
  readonly protocolVersion?: number | undefined
  readonly clean?: boolean | undefined
  readonly username?: string | undefined
  readonly password?: unknown
  readonly will?: { readonly topic: string; readonly payload: Buffer | string; readonly qos?: number } | undefined
}

/** Why not, and the CONNACK code to say it with; without one the connection is just closed. */
export type Refusal = { readonly cause: string; readonly returnCode: number | undefined }

const identifierRejected = 2
export const serverUnavailable = 3
const badCredentials = 4
export const notAuthorized = 5

export function connectRefusal(packet: ConnectFields, limits: BrokerLimits): Refusal | undefined {
  const { clientId, protocolVersion, clean, username, password, will } = packet
  const isNew = protocolVersion === 5
  if (clientId.length === 0 && !isNew && (clean !== true || protocolVersion === 3)) {
    return { cause: 'client_id_empty', returnCode: identifierRejected } // [MQTT-3.1.3-8, A9]
  }
  if (!isNameFit(clientId, limits.nameBytesMax)) return { cause: 'client_id', returnCode: identifierRejected }
  if (username !== undefined && !isNameFit(username, limits.nameBytesMax)) {
    return { cause: 'user_name', returnCode: badCredentials }
  }
  if (username === undefined && password !== undefined && !isNew) return { cause: 'user_name', returnCode: undefined } // [MQTT-3.1.2-22]
  if (!will) return undefined
  if ((will.qos ?? 0) > 2) return { cause: 'will_qos', returnCode: undefined } // [MQTT-3.1.2-14]
  if (will.payload.length > limits.willBytesMax) return { cause: 'will_bytes', returnCode: undefined }
  const fault = topicFault(will.topic, limits)
  return fault === undefined ? undefined : { cause: `will_${fault}`, returnCode: undefined }
}

/** Why this visitor, who holds the filters `held`, may not subscribe to `filter`; undefined if it may. */
export function subscriptionFault(
  visitor: Visitor | undefined,
  filter: string,
  held: readonly string[],
  limits: BrokerLimits,
): string | undefined {
  if (!isFilterFit(filter, limits)) return 'filter'
  if (filter.startsWith('$') && !filter.startsWith('$SYS/')) return 'filter_system'
  if (visitor?.maySubscribe(filter) !== true) return 'subscribe_denied'
  if (!held.includes(filter) && held.length >= limits.subscriptionsPerClientMax) return 'subscriptions'
  return undefined
}
