/**
 * The properties of MQTT 5 packets from clients: which may stand where, in what form, and how often. What is not right is
 * refused before any other code sees it. Of a PUBLISH those that go on to subscribers are kept as the bytes they came in,
 * so that they go out unaltered and in their order [MQTT-3.3.2-17, MQTT-3.3.2-18, MQTT-3.3.2-20].
 */
import type { Cursor } from './cursor.ts'

/** What a message says besides topic and payload: the bytes that subscribers get, and how long it is of use. */
export type Properties = {
  readonly bytes: Buffer
  readonly expirySeconds: number | undefined
}

export type Place = 'connect' | 'will' | 'publish' | 'ack' | 'subscribe' | 'unsubscribe' | 'disconnect'
/** `malformed` is what cannot be read; `protocol` can, and may not be. */
export type PropertyFault = 'malformed' | 'protocol'

type Form = 'flag' | 'u16' | 'u16 not 0' | 'u32' | 'u32 not 0' | 'variable' | 'text' | 'binary' | 'pair'
type Rule = { readonly form: Form; readonly places: readonly Place[] }

const userProperty = 0x26
const messageExpiry = 0x02
const topicAlias = 0x23
const message: readonly Place[] = ['publish', 'will']
const rules: ReadonlyMap<number, Rule> = new Map<number, Rule>([
  [0x01, { form: 'flag', places: message }], // payload format
  [messageExpiry, { form: 'u32', places: message }],
  [0x03, { form: 'text', places: message }], // content type
  [0x08, { form: 'text', places: message }], // response topic
  [0x09, { form: 'binary', places: message }], // correlation data
  [0x0b, { form: 'variable', places: ['subscribe'] }], // subscription identifier
  [0x11, { form: 'u32', places: ['connect', 'disconnect'] }], // session expiry
  [0x15, { form: 'text', places: ['connect'] }], // authentication method
  [0x16, { form: 'binary', places: ['connect'] }], // authentication data
  [0x17, { form: 'flag', places: ['connect'] }], // request problem information
  [0x18, { form: 'u32', places: ['will'] }], // will delay
  [0x19, { form: 'flag', places: ['connect'] }], // request response information
  [0x1f, { form: 'text', places: ['ack', 'disconnect'] }], // reason
  [0x21, { form: 'u16 not 0', places: ['connect'] }], // receive maximum
  [0x22, { form: 'u16', places: ['connect'] }], // topic alias maximum
  [topicAlias, { form: 'u16 not 0', places: ['publish'] }],
  [
    userProperty,
    { form: 'pair', places: ['connect', 'will', 'publish', 'ack', 'subscribe', 'unsubscribe', 'disconnect'] },
  ],
  [0x27, { form: 'u32 not 0', places: ['connect'] }], // maximum packet size
])

const forwarded: ReadonlySet<number> = new Set([0x01, 0x03, 0x08, 0x09, userProperty])
const responseTopic = 0x08

export type Scanned = {
  readonly fault: PropertyFault | undefined
  /** 0 if there is none. */
  readonly alias: number
  readonly properties: Properties | undefined
}

const nothing: Scanned = { fault: undefined, alias: 0, properties: undefined }

/** Reads the section at the cursor to its end. A section that says nothing makes nothing. */
export function scanProperties(cursor: Cursor, place: Place): Scanned {
  const length = cursor.variable()
  if (length === 0 && !cursor.isMalformed) return nothing
  const end = cursor.at + length
  if (cursor.isMalformed || end > cursor.end) return { ...nothing, fault: 'malformed' }
  const seen = new Set<number>()
  const kept: Buffer[] = []
  let alias = 0
  let expirySeconds: number | undefined
  while (cursor.at < end) {
    const start = cursor.at
    const id = cursor.variable()
    const rule = rules.get(id)
    if (rule === undefined) return { ...nothing, fault: 'malformed' }
    if (!rule.places.includes(place) || (seen.has(id) && id !== userProperty)) return { ...nothing, fault: 'protocol' }
    seen.add(id)
    const value = read(cursor, rule.form)
    if (cursor.isMalformed || cursor.at > end) return { ...nothing, fault: 'malformed' }
    if (value === undefined) return { ...nothing, fault: 'protocol' }
    if (id === topicAlias) alias = value
    else if (id === messageExpiry) expirySeconds = value
    else if (forwarded.has(id)) {
      const bytes = cursor.buffer.subarray(start, cursor.at)
      // A response topic may hold no wildcard [MQTT-3.3.2-14].
      if (id === responseTopic && (bytes.includes('#') || bytes.includes('+'))) return { ...nothing, fault: 'protocol' }
      kept.push(bytes)
    }
  }
  if (kept.length === 0 && expirySeconds === undefined) return { fault: undefined, alias, properties: undefined }
  return { fault: undefined, alias, properties: { bytes: Buffer.concat(kept), expirySeconds } }
}

/** The value of a number; undefined if it is one that may not be. */
function read(cursor: Cursor, form: Form): number | undefined {
  switch (form) {
    case 'flag': {
      const value = cursor.byte()
      return value <= 1 ? value : undefined
    }
    case 'u16':
      return cursor.u16()
    case 'u16 not 0':
      return cursor.u16() || undefined
    case 'u32':
      return cursor.u32()
    case 'u32 not 0':
      return cursor.u32() || undefined
    case 'variable':
      return cursor.variable() || undefined
    case 'binary':
      return cursor.binary()
    case 'text':
      return cursor.text()
    case 'pair':
      cursor.text()
      return cursor.text()
  }
}
