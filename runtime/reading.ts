/**
 * What a publish meant. The one type that devices' formats, rules and tables share.
 * Pure types: this file does nothing and imports nothing.
 */

/** A value that JSON can carry. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json }

/** A measured value: a finite number, a switch, a text, or a small object (a fix of a GPS, a colour). */
export type Value = number | boolean | string | { readonly [key: string]: Json } | readonly Json[]

export type Reading = {
  readonly device: string
  readonly metric: string
  readonly value: Value
  /** Milliseconds since 1970 by the device's own clock, if it sent one. */
  readonly deviceTimeMs: number | undefined
  /** The device's own name for this reading, if it sent one: the same id again is the same reading. */
  readonly id: string | undefined
  /** For people: `°C`, `mm/s`. */
  readonly unit: string | undefined
}
