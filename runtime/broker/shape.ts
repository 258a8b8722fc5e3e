/**
 * Is a packet what MQTT says that it is, to its last byte [A8]? Of PUBLISH `connection.ts` sees to it, since it is the
 * only one that comes often. Pure. What aedes' parser would pass over, or stumble on, ends here: bytes that trail,
 * reserved bits, texts that are none, and properties that are wrong, come twice, or stand where they may not.
 */
import { Cursor } from './cursor.ts'
import { frameTypes } from './frames.ts'
import { type Place, type Properties, scanProperties } from './properties.ts'

export type MqttVersion = 3 | 4 | 5
export type ShapeFault = 'packet_form' | 'packet_protocol'

const names: Readonly<Record<MqttVersion, string>> = { 3: 'MQIsdp', 4: 'MQTT', 5: 'MQTT' }

export type ConnectShape = { readonly fault: ShapeFault | undefined; readonly willProperties: Properties | undefined }

/** A CONNECT of this version: `buffer[body..end)` [MQTT-3.1.2-1, MQTT-3.1.2-3, MQTT-3.1.2-11 to -22]. */
export function connectShape(buffer: Buffer, body: number, end: number, version: MqttVersion): ConnectShape {
  const cursor = new Cursor(buffer, body, end)
  const malformed = { fault: 'packet_form' as const, willProperties: undefined }
  const nameStart = cursor.text()
  if (buffer.toString('latin1', nameStart, cursor.at) !== names[version]) return malformed
  cursor.byte()
  const flags = cursor.byte()
  cursor.u16()
  const hasWill = (flags & 4) !== 0
  const willQos = (flags >> 3) & 3
  const hasUser = (flags & 0x80) !== 0
  const hasPassword = (flags & 0x40) !== 0
  if ((flags & 1) !== 0 || willQos === 3 || (!hasWill && (flags & 0x38) !== 0)) return malformed
  if (version < 5 && hasPassword && !hasUser) return malformed
  const own = propertiesFault(cursor, 'connect', version)
  if (own.fault !== undefined) return { fault: own.fault, willProperties: undefined }
  cursor.binary() // the client id: what is wrong with it is answered with a code
  const will = hasWill ? propertiesFault(cursor, 'will', version) : nothing
  if (will.fault !== undefined) return { fault: will.fault, willProperties: undefined }
  if (hasWill) {
    cursor.text()
    cursor.binary()
  }
  if (hasUser) cursor.binary()
  if (hasPassword) cursor.binary()
  if (cursor.isMalformed || cursor.left > 0) return malformed
  return { fault: undefined, willProperties: will.properties }
}

/** Every other packet but PUBLISH. */
export function packetFault(
  type: number,
  buffer: Buffer,
  body: number,
  end: number,
  version: MqttVersion,
): ShapeFault | undefined {
  const cursor = new Cursor(buffer, body, end)
  switch (type) {
    case frameTypes.subscribe:
      return filtersFault(cursor, 'subscribe', version)
    case frameTypes.unsubscribe:
      return filtersFault(cursor, 'unsubscribe', version)
    case frameTypes.disconnect:
      return version === 5 ? reasonFault(cursor, 'disconnect') : undefined
    case frameTypes.puback:
    case frameTypes.pubrec:
    case frameTypes.pubrel:
    case frameTypes.pubcomp:
      cursor.u16()
      return version === 5 ? reasonFault(cursor, 'ack') : undefined
    default:
      return undefined
  }
}

/** Is a client done with a message that it was sent, with this packet of its: `buffer[body..end)`? */
export function endsDelivery(type: number, buffer: Buffer, body: number, end: number): boolean {
  if (type === frameTypes.pubrec) return end - body > 2 && (buffer[body + 2] ?? 0) >= 0x80
  return type === frameTypes.puback || type === frameTypes.pubcomp
}

/** A packet id, and at least one filter [MQTT-3.8.3-3, MQTT-3.10.3-2], each with its options in a SUBSCRIBE. */
function filtersFault(
  cursor: Cursor,
  place: 'subscribe' | 'unsubscribe',
  version: MqttVersion,
): ShapeFault | undefined {
  cursor.u16()
  const { fault } = propertiesFault(cursor, place, version)
  if (fault !== undefined) return fault
  if (cursor.left === 0) return version === 5 ? 'packet_protocol' : 'packet_form'
  while (cursor.left > 0) {
    const start = cursor.text()
    const filterEnd = cursor.at
    if (place === 'unsubscribe') continue
    const options = cursor.byte()
    if ((options & 3) === 3) return 'packet_form' // [MQTT-3-8.3-4]
    if (version < 5 ? (options & 0xfc) !== 0 : (options & 0xc0) !== 0) return 'packet_form'
    if (version < 5 || cursor.isMalformed) continue
    if ((options & 0x30) === 0x30) return 'packet_protocol'
    // A shared subscription may not say that it wants nothing of its own [MQTT-3.8.3-4].
    const isShared = cursor.buffer.toString('latin1', start, Math.min(start + 7, filterEnd)) === '$share/'
    if (isShared && (options & 4) !== 0) return 'packet_protocol'
  }
  return cursor.isMalformed ? 'packet_form' : undefined
}

/** A reason and properties, both of which may be left out. */
function reasonFault(cursor: Cursor, place: 'ack' | 'disconnect'): ShapeFault | undefined {
  if (cursor.left === 0) return undefined
  cursor.byte()
  if (cursor.left === 0) return undefined
  const { fault } = propertiesFault(cursor, place, 5)
  return fault ?? (cursor.isMalformed || cursor.left > 0 ? 'packet_form' : undefined)
}

type Section = { readonly fault: ShapeFault | undefined; readonly properties: Properties | undefined }
const nothing: Section = { fault: undefined, properties: undefined }

function propertiesFault(cursor: Cursor, place: Place, version: MqttVersion): Section {
  if (version < 5) return nothing
  const { fault, properties } = scanProperties(cursor, place)
  return { fault: fault && (fault === 'malformed' ? 'packet_form' : 'packet_protocol'), properties }
}
