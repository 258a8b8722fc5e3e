/**
 * JSON as strangers send it: parsed or refused with a sentence. Never throws.
 */
import { payloadText } from './payload.ts'
import { printable } from './reason.ts'

export type ParsedJson =
  | { readonly ok: true; readonly message: unknown }
  | { readonly ok: false; readonly reason: string }

export function parseJson(payload: Uint8Array): ParsedJson {
  const read = payloadText(payload)
  if (!read.ok) return read
  try {
    return { ok: true, message: JSON.parse(read.text) }
  } catch (error) {
    return { ok: false, reason: `not JSON: ${printable(error instanceof Error ? error.message : String(error))}` }
  }
}
