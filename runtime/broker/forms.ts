/**
 * How sessions, queues, retained messages and wills lie on the shelf. Keys are texts whose parts end in NUL, which no
 * client id or topic may hold; values are a head in JSON and, for messages, the payload as it came.
 *
 *   b                   how often the broker was started
 *   s client            the subscriptions of a session
 *   p client            how long its client has been away, and up to which message it was there
 *   m order             a message in queues: its head names for whom
 *   d order NUL client  how far this client is with it: sent under an id, released (PUBREL), or done while others are not
 *   i client NUL id     a QoS 2 publish of this client that waits for its PUBREL
 *   r topic             a retained message
 *   w client            the will of a client that is connected
 *
 * What cannot be read is left out: `undefined`, never an exception.
 */
import type { AgeNote } from './age.ts'
import type { Properties } from './properties.ts'
import type { Qos } from './publish.ts'

export const keyOf = {
  starts: 'b',
  subscriptions: (client: string): string => `s${client}`,
  presence: (client: string): string => `p${client}`,
  message: (order: number): string => `m${orderText(order)}`,
  delivery: (order: number, client: string): string => `d${orderText(order)}\0${client}`,
  incoming: (client: string, messageId: number): string => `i${client}\0${messageId}`,
  retained: (topic: string): string => `r${topic}`,
  will: (client: string): string => `w${client}`,
}

/** Hexadecimal of fixed width: the order of keys is the order of numbers. */
const orderText = (order: number): string => order.toString(16).padStart(14, '0')

export type SubscriptionForm = {
  readonly topic: string
  readonly qos: Qos
  /** These clients of MQTT 5 may ask for: nothing of their own, RETAIN as it was published, and a number. */
  readonly nl?: boolean
  readonly rap?: boolean
  readonly rh?: number
  readonly subscriptionIdentifier?: number
}
export type PresenceForm = {
  /** How long it has been away; undefined while it is connected. */
  readonly away: AgeNote | undefined
  /** Messages after this one cannot have been sent to it. */
  readonly upTo: number | undefined
  /** How long its client wants it to be kept; left out, as long as the limits say. */
  readonly expiryMs?: number | undefined
  /** Whose session it is; left out: nobody's in particular. */
  readonly user?: string | undefined
}
export type DeliveryForm = { readonly messageId?: number; readonly released?: boolean; readonly done?: boolean }
export type MessageHead = {
  readonly topic: string
  readonly qos: Qos
  /** Of a message in queues: each client with its QoS. */
  readonly to?: readonly (readonly [client: string, qos: Qos, more?: RecipientForm])[]
  readonly retain?: boolean
  readonly age?: AgeNote
  readonly brokerId?: string
  /** Of a will: whose client left it. */
  readonly user?: string
  /** Of MQTT 5: the bytes in base64, and the seconds that it is of use. */
  readonly properties?: readonly [bytes: string, expirySeconds?: number]
}
/** What a message is told with by the subscriptions of MQTT 5. */
export type RecipientForm = { readonly ids?: readonly number[]; readonly retain?: true }

export function propertiesForm(properties: Properties | undefined): Pick<MessageHead, 'properties'> {
  if (properties === undefined) return {}
  const { bytes, expirySeconds } = properties
  const text = bytes.toString('base64')
  return { properties: expirySeconds === undefined ? [text] : [text, expirySeconds] }
}

export function propertiesOf({ properties }: MessageHead): Properties | undefined {
  return properties && { bytes: Buffer.from(properties[0], 'base64'), expirySeconds: properties[1] }
}

export const encodeJson = (value: unknown): Buffer => Buffer.from(JSON.stringify(value))

export function decodeJson(bytes: Buffer): unknown {
  try {
    return JSON.parse(bytes.toString()) as unknown
  } catch {
    return undefined
  }
}

/** u32 length of the head, head, payload. */
export function encodeMessage(head: MessageHead, payload: Buffer | string): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const bytes = Buffer.from(payload)
  const out = Buffer.allocUnsafeSlow(4 + text.length + bytes.length)
  out.writeUInt32LE(text.length, 0)
  text.copy(out, 4)
  bytes.copy(out, 4 + text.length)
  return out
}

export function decodeMessage(bytes: Buffer): { readonly head: MessageHead; readonly payload: Buffer } | undefined {
  if (bytes.length < 4) return undefined
  const end = 4 + bytes.readUInt32LE(0)
  if (end > bytes.length) return undefined
  const head = decodeJson(bytes.subarray(4, end)) as MessageHead | undefined
  return head && { head, payload: payloadOf(bytes) }
}

/** The payload as it stands in what was written: one copy serves the disk and the memory. */
export function payloadOf(bytes: Buffer): Buffer {
  return bytes.subarray(4 + bytes.readUInt32LE(0))
}
