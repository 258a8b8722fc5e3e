/**
 * JSON as strangers send it: parsed or refused with a sentence, and what may be shown of it in a reason. Never throws.
 */
import { isUtf8 } from 'node:buffer'
import { reasonCharactersMax } from '../runtime/limits.ts'
import type { Decoded } from './adapter.ts'

export type ParsedJson =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly reason: string }

export function parseJson(payload: Uint8Array): ParsedJson {
  const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength)
  if (bytes.length === 0) return { ok: false, reason: 'the payload is empty' }
  // Decoding would put U+FFFD in place of wrong bytes, and two different names could become one.
  if (!isUtf8(bytes)) return { ok: false, reason: 'not UTF-8' }
  try {
    return { ok: true, message: JSON.parse(bytes.toString()) }
  } catch (error) {
    return { ok: false, reason: `not JSON: ${printable(error instanceof Error ? error.message : String(error))}` }
  }
}

/** Text of a stranger as it may stand in a log line or in a terminal. */
export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '\u{fffd}')
}

export function reject(reason: string): Decoded {
  return { ok: false, reason: reason.slice(0, reasonCharactersMax) }
}
