/**
 * The bytes of a payload as text, or why they are none. Decoding wrong bytes would put U+FFFD in their place, and two
 * different names could become one: such a payload is refused whole. Pure.
 */
import { isUtf8 } from 'node:buffer'

export type PayloadText = { readonly ok: true; readonly text: string } | { readonly ok: false; readonly reason: string }

export function payloadText(payload: Uint8Array): PayloadText {
  const bytes = asBuffer(payload)
  if (bytes.length === 0) return { ok: false, reason: 'the payload is empty' }
  if (!isUtf8(bytes)) return { ok: false, reason: 'not UTF-8' }
  return { ok: true, text: bytes.toString() }
}

/** The same bytes, not a copy. */
export function asBuffer(payload: Uint8Array): Buffer {
  return Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
}
