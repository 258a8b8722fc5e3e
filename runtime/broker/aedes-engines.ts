/**
 * The two versions of aedes, and what makes them behave alike: 1.2.0 speaks MQTT 3.1 and 3.1.1, 2.0.0-beta.1 speaks 5
 * too. What they lack is mended here, on their objects, never in their files:
 *
 *   - names from the wire are keys of plain objects in the beta (GHSA-52qw-whmv-87c5, mended in 1.2.0 alone);
 *   - a SUBSCRIBE that names a filter twice is answered with too few codes, by both [MQTT-3.8.4-5], and by the beta in
 *     another order if a filter looks like a number;
 *   - a message goes out with the QoS of whichever subscription comes first, by both, and with the publisher's QoS if
 *     that subscription has a wildcard [MQTT-3.3.5-1, MQTT-3.8.4-6];
 *   - the subscriptions of a session are in force before its CONNACK, by both, so a message may come before it
 *     [MQTT-3.2.0-1]. That, and every PUBLISH that goes out, is left to `delivery.ts`.
 */
import type { Aedes, AedesOptions, AedesPublishPacket, Client } from 'aedes'
import type { Delivery } from './delivery.ts'
import type { BrokerLimits } from './limits.ts'
import type { Properties } from './properties.ts'
import type { Outgoing } from './publish-form.ts'
import type { Qos } from './publish.ts'
import { aged } from './retained.ts'
import type { Entry, Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { filterMatches } from './topics.ts'

/** A message as aedes hands it to a subscriber: whose subscription does not want its own messages has `nl`. */
type Told = Omit<AedesPublishPacket, 'properties'> & {
  readonly clientId?: string
  readonly nl?: boolean
  readonly properties?: Properties & { readonly subscriptionIdentifier?: number }
}
type Deliver = (packet: Told, done: () => void) => void
type Held = { readonly qos: Qos; readonly si?: number | undefined }
type InnerClient = {
  readonly id: string
  subscriptions: Readonly<Record<string, Held>>
  duplicates: Record<string, number>
  deliver0: Deliver
  deliverQoS: Deliver
  readonly _parser: {
    prependListener(event: 'packet', listener: (packet: { cmd: string; subscriptions?: unknown }) => void): void
  }
}

export async function createEngine(options: AedesOptions, speaks5: boolean): Promise<Aedes> {
  // Loaded only where it is used: the other one costs neither memory nor start.
  const { Aedes: Engine } = speaks5
    ? ((await import('aedes5')) as unknown as typeof import('aedes'))
    : await import('aedes')
  const aedes = await Engine.createBroker(options)
  // When a session ends `sessions.ts` knows, over restarts too; aedes' own timers would end the wrong ones.
  if (speaks5) Object.assign(aedes, { clients: noNames(), brokers: noNames(), scheduleSessionExpiry: () => undefined })
  return aedes
}

/** What the beta tells clients of MQTT 5 in CONNACK, and holds them to. */
export function optionsFor5(limits: BrokerLimits): object {
  return {
    topicAliasMaximum: limits.topicAliasesMax,
    maximumPacketSize: limits.packetBytesMax,
    receiveMaximum: limits.inflightQos2Max,
    sessionExpiryIntervalLimit: Math.floor(limits.sessionExpiryMs / 1_000),
    // Beyond it a will that was to wait is published at once.
    pendingSessionsLimit: Math.max(1, limits.sessionsMax),
  }
}

const deliveries = new WeakMap<Client, Delivery>()

export function deliveryOf(client: Client): Delivery {
  const delivery = deliveries.get(client)
  if (!delivery) throw new Error('a client that was never mended')
  return delivery
}

/** To be called for each client before its CONNECT is looked at. */
export function mendClient(aedes: Aedes, client: Client, delivery: Delivery): void {
  deliveries.set(client, delivery)
  const inner = client as unknown as InnerClient
  inner.subscriptions = noNames()
  inner.duplicates = noNames()
  inner._parser.prependListener('packet', keepAllSubscriptions)
  const deliver: Deliver = (packet, done) => {
    const isOwn = packet.nl === true && packet.clientId === inner.id
    if (isOwn || isRepeated(inner.duplicates, packet)) return void setImmediate(done)
    if (!aedes.authorizeForward(client, packet)) return void setImmediate(done)
    const message = outgoing(inner.subscriptions, packet, delivery)
    if (delivery.fits(message)) delivery.tell(message, done)
    else setImmediate(done)
  }
  inner.deliver0 = deliver
  inner.deliverQoS = deliver
}

/** Hands over a message of its queue, or the PUBREL of one, past what aedes does with messages that are told live. */
export function deliverQueued(
  aedes: Aedes,
  client: Client,
  { messages }: Sessions,
): (session: Session, entry: Entry, done: () => void) => void {
  const delivery = deliveryOf(client)
  return (session, entry, done) => {
    const { packet } = entry
    if (packet.cmd === 'pubrel') return delivery.release(packet.messageId ?? 0, done)
    const { expirySeconds } = packet.properties ?? {}
    // What was sent goes on to its end: its packet id means that very message to the client [MQTT-3.3.2-5, MQTT-4.3.3-7].
    const mayExpire = expirySeconds !== undefined && packet.messageId === undefined
    const isSpent = mayExpire && entry.message.age.ms >= expirySeconds * 1_000
    const message = (): Outgoing => queued(entry)
    const isFit = !isSpent && delivery.fits(message())
    if (!isFit || !aedes.authorizeForward(client, { ...packet } as unknown as AedesPublishPacket)) {
      messages.done(session, entry)
      return void setImmediate(done)
    }
    messages.sent(session, entry, packet.messageId ?? delivery.nextMessageId(), error => {
      // Its packet id is not on disk: it stays in the queue, and the client comes again.
      if (error !== undefined) client.close()
      if (error !== undefined || !session.queue.has(entry.counter)) return void setImmediate(done)
      delivery.publish(message(), done)
    })
  }
}

function queued({ packet, message, subscriptionIds, sends }: Entry): Outgoing {
  const { topic, payload, qos, retain, messageId = 0, properties } = aged(packet, message.age)
  return { topic, payload, qos, retain, dup: sends > 1, messageId, properties, subscriptionIds }
}

/** Of subscriptions that overlap each is told; aedes numbers what it tells. A retained message has no number. */
function isRepeated(last: Record<string, number>, { brokerId, brokerCounter }: Told): boolean {
  if (!brokerId) return false
  if ((last[brokerId] ?? 0) >= brokerCounter) return true
  last[brokerId] = brokerCounter
  return false
}

function outgoing(subscriptions: Readonly<Record<string, Held>>, packet: Told, delivery: Delivery): Outgoing {
  const { topic, payload, retain, brokerId, properties } = packet
  const qos = qosFor(subscriptions, packet)
  const retainedId = properties?.subscriptionIdentifier
  const ids =
    delivery.version < 5 ? [] : brokerId ? idsFor(subscriptions, topic) : retainedId === undefined ? [] : [retainedId]
  return {
    topic,
    payload: typeof payload === 'string' ? Buffer.from(payload) : payload,
    qos,
    retain,
    dup: false,
    messageId: qos > 0 ? delivery.nextMessageId() : 0,
    properties: properties?.bytes && properties,
    subscriptionIds: ids,
  }
}

/** The numbers of all subscriptions that match [MQTT-3.3.4-3, MQTT-3.3.4-4]. */
function idsFor(subscriptions: Readonly<Record<string, Held>>, topic: string): number[] {
  const ids: number[] = []
  for (const filter in subscriptions) {
    const id = subscriptions[filter]?.si
    if (id !== undefined && filterMatches(filter, topic)) ids.push(id)
  }
  return ids
}

/** The greatest QoS of all subscriptions that match, and not more than that of the message. */
function qosFor(subscriptions: Readonly<Record<string, Held>>, { topic, qos }: Told): Qos {
  let most: Qos = 0
  for (const filter in subscriptions) {
    if (most >= qos) return qos
    const held = subscriptions[filter]?.qos ?? 0
    if (held > most && filterMatches(filter, topic)) most = held
  }
  return most < qos ? most : qos
}

/** aedes puts a list without repetitions in the place of the one that came. */
function keepAllSubscriptions(packet: { cmd: string; subscriptions?: unknown }): void {
  if (packet.cmd !== 'subscribe') return
  const { subscriptions } = packet
  Object.defineProperty(packet, 'subscriptions', { get: () => subscriptions, set: () => {} })
}

/** No name is there before it was put there. */
function noNames<Value>(): Record<string, Value> {
  return Object.create(null) as Record<string, Value>
}
