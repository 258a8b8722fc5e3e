/**
 * Reasons why a payload was refused, for the rejects table: one line, short, and without the control characters that a
 * stranger may have put into the payload that the reason quotes. Pure.
 */
import { readingsPerMessageMax, reasonCharactersMax } from '../runtime/limits.ts'
import type { Decoded } from './adapter.ts'

export const tooManyReadings = `more than ${readingsPerMessageMax} readings in one message`

export function reject(reason: string): Decoded & { readonly ok: false } {
  return { ok: false, reason: printable(reason).slice(0, reasonCharactersMax) }
}

/** What was there instead, for the person who wrote the route: `"a", "b", …`. */
export function quoted(names: readonly string[]): string {
  const shown = names.slice(0, 5).map(name => `"${printable(name.slice(0, 40))}"`)
  return shown.join(', ') + (names.length > shown.length ? ', …' : '')
}

export function printable(text: string): string {
  return text.replace(/[\p{Cc}\p{Cs}]/gu, '\u{fffd}')
}
