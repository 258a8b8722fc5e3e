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
import type { Qos } from './publish.ts'
import type { Entry, Session } from './session.ts'
import type { Sessions } from './sessions.ts'
import { filterMatches } from './topics.ts'

/** A message as aedes hands it to a subscriber: whose subscription does not want its own messages has `nl`. */
type Told = AedesPublishPacket & { readonly clientId?: string; readonly nl?: boolean }
type Deliver = (packet: Told, done: () => void) => void
type Held = { readonly qos: Qos }
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
  if (speaks5) Object.assign(aedes, { clients: noNames(), brokers: noNames() })
  return aedes
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
    const allowed = aedes.authorizeForward(client, packet)
    if (!allowed) return void setImmediate(done)
    const { topic, payload, retain } = allowed
    const qos = qosFor(inner.subscriptions, allowed)
    const bytes = typeof payload === 'string' ? Buffer.from(payload) : payload
    const messageId = qos > 0 ? delivery.nextMessageId() : 0
    delivery.publish({ topic, payload: bytes, qos, retain, dup: false, messageId }, done)
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
    if (!aedes.authorizeForward(client, { ...packet } as AedesPublishPacket)) {
      messages.done(session, entry)
      return void setImmediate(done)
    }
    messages.sent(session, entry, packet.messageId ?? delivery.nextMessageId(), error => {
      // Its packet id is not on disk: it stays in the queue, and the client comes again.
      if (error !== undefined) client.close()
      if (error !== undefined || !session.queue.has(entry.counter)) return void setImmediate(done)
      const { topic, payload, qos, retain, messageId = 0 } = packet
      delivery.publish({ topic, payload, qos, retain, dup: entry.sends > 1, messageId }, done)
    })
  }
}

/** Of subscriptions that overlap each is told; aedes numbers what it tells. A retained message has no number. */
function isRepeated(last: Record<string, number>, { brokerId, brokerCounter }: Told): boolean {
  if (!brokerId) return false
  if ((last[brokerId] ?? 0) >= brokerCounter) return true
  last[brokerId] = brokerCounter
  return false
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
