/**
 * The contract of an adapter: the bytes of one publish become readings, or a reason why not.
 *
 * An adapter never throws, whatever the bytes are, and never gives more than `readingsPerMessageMax` readings. It is
 * pure [I8]: no I/O, no clock, no memory of the message before. A message is decoded whole or not at all.
 */
import type { z } from 'zod'
import type { Reading } from '../runtime/reading.ts'

export type Decoded =
  | { readonly ok: true; readonly readings: readonly Reading[] }
  | { readonly ok: false; readonly reason: string }

/** What the named levels of a topic pattern matched: `device` and `metric` mean something, others are only matched. */
export type Levels = ReadonlyMap<string, string>

export type Adapter = {
  readonly name: string
  decode(payload: Uint8Array, levels: Levels): Decoded
}

/** What a reading needs a name for. It comes from a named level of the topic or, if the adapter can, from the payload. */
export type NameSource = 'device' | 'metric'

/** One payload format: what a route may say about it, and how to open it. */
export type AdapterKind = {
  readonly name: string
  readonly sentence: string
  /** The keys that a route of this adapter may have, beside the keys that every route has. */
  readonly options: z.ZodObject
  /** The options that say where the payload has a name: where none of them is set, the topic must give it. */
  readonly nameOptions: Readonly<Record<NameSource, readonly string[]>>
  /** Throws only when the options do not fit the schema: configuration has checked them before. */
  open(options: unknown): Adapter
}

/** Ties the schema of the options to the functions that take them, so that each adapter sees its own type. */
export function adapterKind<Options extends z.ZodObject>(kind: {
  name: string
  sentence: string
  options: Options
  nameOptions: AdapterKind['nameOptions']
  decoder: (options: z.output<Options>) => Adapter['decode']
}): AdapterKind {
  return {
    name: kind.name,
    sentence: kind.sentence,
    options: kind.options,
    nameOptions: kind.nameOptions,
    open: options => ({ name: kind.name, decode: kind.decoder(kind.options.parse(options)) }),
  }
}
