/**
 * Reads the shelf at the start: what was kept of sessions, queues, retained messages and wills, by what it is. What
 * cannot be read is named in `unreadable`, so that it is counted and forgotten.
 */
import {
  type DeliveryForm,
  type MessageHead,
  type PresenceForm,
  type SubscriptionForm,
  decodeJson,
  decodeMessage,
} from './forms.ts'
import type { Ledger } from './ledger.ts'

export type ShelvedMessage = { readonly head: MessageHead; readonly payload: Buffer }

export type Shelved = {
  starts: number
  readonly subscriptions: Map<string, readonly SubscriptionForm[]>
  readonly presence: Map<string, PresenceForm>
  /** By order, oldest first. */
  readonly messages: Map<number, ShelvedMessage>
  /** By order, then by client. */
  readonly deliveries: Map<number, Map<string, DeliveryForm>>
  readonly incoming: (readonly [client: string, messageId: number])[]
  readonly retained: Map<string, ShelvedMessage>
  readonly wills: Map<string, ShelvedMessage>
  readonly unreadable: string[]
}

export async function readShelf(ledger: Pick<Ledger, 'kept'>): Promise<Shelved> {
  const shelved: Shelved = {
    starts: 0,
    subscriptions: new Map(),
    presence: new Map(),
    messages: new Map(),
    deliveries: new Map(),
    incoming: [],
    retained: new Map(),
    wills: new Map(),
    unreadable: [],
  }
  for await (const [key, bytes] of ledger.kept()) {
    if (!read(shelved, key.slice(0, 1), key.slice(1), bytes)) shelved.unreadable.push(key)
  }
  return shelved
}

/** False if it cannot be read. */
function read(shelved: Shelved, letter: string, name: string, bytes: Buffer): boolean {
  switch (letter) {
    case 'b':
      shelved.starts = (decodeJson(bytes) as number | undefined) ?? 0
      return true
    case 's':
      return keep(shelved.subscriptions, name, decodeJson(bytes) as readonly SubscriptionForm[] | undefined)
    case 'p':
      return keep(shelved.presence, name, decodeJson(bytes) as PresenceForm | undefined)
    case 'm':
      return keep(shelved.messages, Number.parseInt(name, 16), decodeMessage(bytes))
    case 'd':
      return readDelivery(shelved, name, decodeJson(bytes) as DeliveryForm | undefined)
    case 'i': {
      const [client = '', messageId] = name.split('\0')
      return shelved.incoming.push([client, Number(messageId)]) > 0
    }
    case 'r':
      return keep(shelved.retained, name, decodeMessage(bytes))
    case 'w':
      return keep(shelved.wills, name, decodeMessage(bytes))
    default:
      return false
  }
}

function readDelivery(shelved: Shelved, name: string, form: DeliveryForm | undefined): boolean {
  const [text = '', client = ''] = name.split('\0')
  const order = Number.parseInt(text, 16)
  const known = shelved.deliveries.get(order) ?? new Map<string, DeliveryForm>()
  shelved.deliveries.set(order, known)
  return keep(known, client, form)
}

function keep<Key, Value>(map: Map<Key, Value>, key: Key, value: Value | undefined): boolean {
  if (value !== undefined) map.set(key, value)
  return value !== undefined
}
