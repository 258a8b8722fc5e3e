/** Clients of MQTT 5 over a gateway that stops or loses its power. */
import type { TestContext } from 'node:test'
import type { IPublishPacket, ISubscription, Packet } from 'mqtt-packet'
import type { BrokerLimits } from '../../runtime/broker/limits.ts'
import { type KeptRig, openKept } from './kept-rig.ts'
import { type ConnectOptions, type RawClient, until } from './rig.ts'

export const ends = { 'a stop': 'stop', 'a power cut': 'cut' } as const
export type End = (typeof ends)[keyof typeof ends]
export type Properties = NonNullable<IPublishPacket['properties']>

export const openRig5 = (t: TestContext, limits: Partial<BrokerLimits> = {}): Promise<KeptRig> =>
  openKept(t, limits, undefined, true)

/** All that a message may say besides. */
export const everything: Properties = {
  payloadFormatIndicator: true,
  contentType: 'text/plain',
  responseTopic: 'answer/here',
  correlationData: Buffer.from('ff00', 'hex'),
  userProperties: { room: ['cellar', 'attic'], who: 'me' },
}

/** Ends it, lets the time pass, and starts it again. */
export async function over(rig: KeptRig, end: End, passMs = 0): Promise<void> {
  await rig[end]()
  pass(rig, passMs)
  await rig.start()
}

export function pass({ clock }: KeptRig, ms: number): void {
  clock.nowMs += ms
  clock.monotonicMs += ms
}

/** `expiry` in seconds; left out, the session ends with the connection. */
export function hello(
  rig: KeptRig,
  clientId: string,
  expiry?: number,
  options: ConnectOptions = {},
): Promise<RawClient> {
  const properties = expiry === undefined ? {} : { sessionExpiryInterval: expiry }
  return rig.client({ clientId, clean: false, protocolVersion: 5, properties, ...options })
}

export async function isPresent(client: RawClient): Promise<boolean> {
  const connack = await client.next('connack')
  return connack.cmd === 'connack' && connack.sessionPresent
}

/** With a number if it is not 0. */
export async function subscribe5(client: RawClient, id: number, ...subscriptions: ISubscription[]): Promise<void> {
  const before = client.count('suback')
  const properties = id === 0 ? {} : { subscriptionIdentifier: id }
  client.send({ cmd: 'subscribe', messageId: 900 + before, subscriptions, properties })
  await client.next('suback', before)
}

/** Publishes with QoS 1, and waits until it is acknowledged. */
export async function tell(
  client: RawClient,
  topic: string,
  payload: string,
  properties: Properties = {},
  retain = false,
): Promise<void> {
  const before = client.count('puback')
  client.send({ cmd: 'publish', topic, payload, qos: 1, messageId: before + 1, dup: false, retain, properties })
  await client.next('puback', before)
}

export async function leave(rig: KeptRig, client: RawClient, clientId: string, expiry?: number): Promise<void> {
  client.send(
    expiry === undefined
      ? { cmd: 'disconnect' }
      : { cmd: 'disconnect', reasonCode: 0, properties: { sessionExpiryInterval: expiry } },
  )
  await until(() => client.closed && !rig.broker.connected().includes(clientId))
}

/** What came, without what differs from one time to another. */
export function told(client: RawClient): unknown[] {
  return client.received.flatMap(packet => (packet.cmd === 'publish' ? [plain(packet)] : []))
}

function plain({ topic, payload, retain, properties = {} }: Extract<Packet, { cmd: 'publish' }>): unknown {
  const { userProperties } = properties
  const said = { ...properties, ...(userProperties && { userProperties: { ...userProperties } }) }
  return { topic, payload: String(payload), retain, properties: said }
}

export const message = (topic: string, payload: string, properties: Properties = {}, retain = false): unknown => ({
  topic,
  payload,
  retain,
  properties,
})
