/**
 * "Here" and "gone" as device formats write them: one word, or {"state": word}. What is neither is refused, for a device
 * that is told of wrongly is worse than a row in `rejects`.
 */
import type { Decoded } from './adapter.ts'
import { payloadText } from './payload.ts'
import { reject } from './reason.ts'

/** Of a message that is understood and has no reading. */
export const saysNothing: Decoded = { ok: true, readings: [], more: {} }

/** Longer than any word of presence in its JSON. */
const wordBytesMax = 64

export function presence(device: string, isOnline: boolean): Decoded {
  return { ok: true, readings: [], more: { presence: [{ device, isOnline }] } }
}

export function presenceIn(
  payload: Uint8Array,
  device: string,
  words: { readonly online: string; readonly offline: string },
): Decoded {
  if (payload.length === 0) return saysNothing
  const read = payload.length > wordBytesMax ? undefined : payloadText(payload)
  const text = read?.ok === true ? read.text : ''
  const word = /^\s*\{\s*"state"\s*:\s*"(\w+)"\s*\}\s*$/.exec(text)?.[1] ?? text
  if (word === words.online) return presence(device, true)
  if (word === words.offline) return presence(device, false)
  return reject(`neither ${words.online} nor ${words.offline}`)
}
