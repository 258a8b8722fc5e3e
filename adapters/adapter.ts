/**
 * The contract of an adapter: the bytes of one publish become readings, or a reason why not.
 *
 * An adapter never throws, whatever the bytes are, and never gives more than `readingsPerMessageMax` readings. It is
 * pure [I8]: no I/O, no clock, no memory of its own. What a format must know later (an alias, a unit) it gives as
 * `remember` and asks for with `recall`: that is kept for its route, on disk with the readings. A message is decoded whole
 * or not at all, but for what a format's own rules let stand alone: the rest of it is taken, and `refused` says what was not.
 */
import type { z } from 'zod'
import type { Json, Reading } from '../runtime/reading.ts'

export type Decoded =
  | { readonly ok: true; readonly readings: readonly Reading[]; readonly more?: More }
  | { readonly ok: false; readonly reason: string; readonly more?: More }

/**
 * What a message said beside its readings. Left out by formats that say nothing else; a message that is understood, and
 * has no reading, gives it, if need be empty.
 */
export type More = {
  /** To be recalled from the next message on; undefined forgets. */
  readonly remember?: readonly { readonly key: string; readonly value: Json | undefined }[] | undefined
  /** Who has said that it is here, or that it is gone. */
  readonly presence?: readonly Presence[] | undefined
  /** What the format wants answered. */
  readonly replies?: readonly Reply[] | undefined
  /** What of a message that was taken could not be: it becomes a row of `rejects` beside the readings. */
  readonly refused?: string | undefined
}

export type Presence = { readonly device: string; readonly isOnline: boolean }

export type Reply = { readonly topic: string; readonly payload: string | Uint8Array; readonly qos: 0 | 1 }

/** The publish around a payload. Valid during one `decode` only. */
export type Message = {
  readonly topic: string
  /** True of what the broker kept from before, and of what it shall keep. */
  readonly retain: boolean
  /** When it came, for formats whose times are relative to that; undefined while nobody vouches for the clock. */
  readonly arrivalMs: number | undefined
  /** What a message of the same route gave as `remember`. */
  recall(key: string): Json | undefined
}

/** What the named levels of a topic pattern matched: `device` and `metric` mean something, others are only matched. */
export type Levels = ReadonlyMap<string, string>

export type Adapter = {
  readonly name: string
  decode(payload: Uint8Array, levels: Levels, message: Message): Decoded
}

/** What a reading needs a name for. It comes from a named level of the topic or, if the adapter can, from the payload. */
export type NameSource = 'device' | 'metric'

/** One payload format: what a route may say about it, and how to open it. */
export type AdapterKind = {
  readonly name: string
  readonly sentence: string
  /** The keys that a route of this adapter may have, beside the keys that every route has. */
  readonly options: z.ZodObject
  /**
   * The options that say where the payload has a name: where none of them is set, the topic must give it. `always` where
   * the format itself has a place for it.
   */
  readonly nameOptions: Readonly<Record<NameSource, readonly string[] | 'always'>>
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
