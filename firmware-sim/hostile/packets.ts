/**
 * MQTT packets as bytes, right or wrong on purpose: an ordinary library refuses to write what an attacker sends. Promises
 * exactly the bytes that are asked for, and checks nothing. Pure.
 */

export const types = {
  connect: 1,
  connack: 2,
  publish: 3,
  puback: 4,
  pubrec: 5,
  pubrel: 6,
  pubcomp: 7,
  subscribe: 8,
  suback: 9,
  unsubscribe: 10,
  unsuback: 11,
  pingreq: 12,
  pingresp: 13,
  disconnect: 14,
  auth: 15,
} as const

export type Will = { topic: string; payload: Buffer | string; qos: number; retain: boolean }
export type Connect = {
  clientId: string
  /** 3 is MQTT 3.1, 4 is 3.1.1, 5 is 5. */
  version?: number
  clean?: boolean
  keepaliveSeconds?: number
  user?: string | undefined
  password?: string | undefined
  will?: Will | undefined
}
export type Publish = {
  topic: string
  payload: Buffer | string
  qos?: number
  id?: number
  retain?: boolean
  version?: number
}

export function connect(wish: Connect): Buffer {
  const { clientId, version = 4, clean = true, keepaliveSeconds = 0, user, password, will } = wish
  const flags =
    (clean ? 2 : 0) |
    (will ? 4 | (will.qos << 3) | (will.retain ? 32 : 0) : 0) |
    (password === undefined ? 0 : 64) |
    (user === undefined ? 0 : 128)
  return frame(types.connect, 0, [
    text(version === 3 ? 'MQIsdp' : 'MQTT'),
    Buffer.from([version, flags]),
    twoBytes(keepaliveSeconds),
    ...noProperties(version),
    text(clientId),
    ...(will ? [...noProperties(version), text(will.topic), text(will.payload)] : []),
    ...(user === undefined ? [] : [text(user)]),
    ...(password === undefined ? [] : [text(password)]),
  ])
}

export function publish({ topic, payload, qos = 0, id = 1, retain = false, version = 4 }: Publish): Buffer {
  return frame(types.publish, (qos << 1) | (retain ? 1 : 0), [
    text(topic),
    ...(qos > 0 ? [twoBytes(id)] : []),
    ...noProperties(version),
    Buffer.from(payload),
  ])
}

export function subscribe(id: number, filters: readonly string[], qos = 0, version = 4): Buffer {
  const asked = filters.flatMap(filter => [text(filter), Buffer.from([qos])])
  return frame(types.subscribe, 2, [twoBytes(id), ...noProperties(version), ...asked])
}

export function unsubscribe(id: number, filters: readonly string[], version = 4): Buffer {
  return frame(types.unsubscribe, 2, [twoBytes(id), ...noProperties(version), ...filters.map(text)])
}

/** PUBACK, PUBREC, PUBREL, PUBCOMP. */
export function answer(type: 4 | 5 | 6 | 7, id: number): Buffer {
  return frame(type, type === types.pubrel ? 2 : 0, [twoBytes(id)])
}

export const ping = frame(types.pingreq, 0, [])
export const disconnect = frame(types.disconnect, 0, [])

/** A whole packet. */
export function frame(type: number, flags: number, body: readonly Buffer[]): Buffer {
  const bytes = body.reduce((sum, part) => sum + part.length, 0)
  return Buffer.concat([header(type, flags, bytes), ...body])
}

/** A fixed header that announces a body, whether it will come or not. */
export function header(type: number, flags: number, remaining: number): Buffer {
  const bytes = [(type << 4) | flags]
  let left = remaining
  do {
    bytes.push((left & 0x7f) | (left > 0x7f ? 0x80 : 0))
    left >>>= 7
  } while (left > 0)
  return Buffer.from(bytes)
}

/** The length in two bytes, and the bytes. */
export function text(content: Buffer | string): Buffer {
  const bytes = Buffer.from(content)
  return Buffer.concat([twoBytes(bytes.length), bytes])
}

export function twoBytes(number: number): Buffer {
  return Buffer.from([(number >> 8) & 0xff, number & 0xff])
}

function noProperties(version: number): Buffer[] {
  return version === 5 ? [Buffer.from([0])] : []
}
