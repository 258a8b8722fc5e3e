/** Payloads that nobody can decode. What is garbage in most formats may mean something in one: that one says so itself. */
import type { GarbageKind, Measured, Payload } from './format.ts'

/** None of these is a number, and none is JSON with a usable `value`, whatever the group's own format. */
export function garbagePayload(kind: GarbageKind, { value, deviceTimeMs, number }: Measured): Payload {
  switch (kind) {
    case 'not-json':
      return 'ERR sensor not ready'
    case 'truncated':
      return JSON.stringify({ value, time: deviceTimeMs }).slice(0, 9)
    case 'wrong-type':
      return JSON.stringify({ value: null, time: 'yesterday', id: {} })
    case 'empty':
      return ''
    case 'binary':
      return Buffer.from([0xff, 0xfe, 0x00, 0x80, 0xc0, number & 0xff, 0x1b, 0x00])
  }
}
