/**
 * Asks adapters, and keeps for them what they want to know later: as states of the store, committed with the readings, so
 * that an alias is known after a restart if the birth that named it was acknowledged.
 *
 * What is kept is ahead of the disk by what is being committed. Where a commit fails, what was not stored is forgotten.
 */
import type { Decoded, Message, More } from '../../adapters/adapter.ts'
import type { Json } from '../reading.ts'
import type { Change } from '../store/types.ts'
import type { Destination, Route } from './routes.ts'

/** What a message said beside its readings. */
export type Told = Pick<More, 'presence' | 'replies'> & {
  readonly adapter: string
  /** Which source has fetched the message; undefined: it was published at our own broker. */
  readonly source: string | undefined
  readonly arrivalMs: number
}

export type States = { states(owner: string): ReadonlyMap<string, Json> }

export type Encoded = {
  readonly source?: string | undefined
  readonly topic: string
  readonly payload: Buffer
  readonly retain?: boolean | undefined
  readonly arrivalMs: number
  /** May it be of this device? Left out: of any. */
  readonly mayName?: ((device: string) => boolean) | undefined
}

const owner = 'adapters'
/** Sparkplug names each metric once: 10,000 devices with ten each. A device that invents names must not fill the memory. */
const rememberedMax = 100_000
/** What all of it may take together, keys and values as JSON: names and values are what strangers send. */
const rememberedCharactersMax = 16 * 1024 * 1024
/** A schema of one message, not a store of documents. */
const valueCharactersMax = 16 * 1024

export class Decoding {
  readonly #store: States
  #known: Map<string, Json>
  #characters: number
  #changes: Change[] = []
  #told: Told[] = []
  #route: Route | undefined
  /** One for all messages: an adapter reads it while it decodes, and not after. */
  readonly #message: Message & { topic: string; retain: boolean; arrivalMs: number | undefined }
  /** What there was no room to remember: the format will miss it. */
  forgotten = 0

  constructor(store: States) {
    this.#store = store
    this.#known = new Map(store.states(owner))
    this.#characters = charactersOf(this.#known)
    this.#message = {
      topic: '',
      retain: false,
      arrivalMs: undefined,
      recall: key => this.#route && this.#known.get(keyOf(this.#route, key)),
    }
  }

  /** `boot` as ingest knows it: where it is named, the time of arrival is not to be counted from. */
  decode(
    { route, levels }: Destination,
    { source, topic, payload, retain, arrivalMs, mayName }: Encoded,
    boot: string | undefined,
  ): Decoded {
    this.#route = route
    this.#message.topic = topic
    this.#message.retain = retain === true
    this.#message.arrivalMs = boot === undefined ? arrivalMs : undefined
    const decoded = route.adapter.decode(payload, levels, this.#message)
    const other = mayName && otherDevice(decoded, mayName)
    if (other !== undefined) return { ok: false, reason: `may not speak for ${JSON.stringify(other)}` }
    if (decoded.more !== undefined) this.#keep(route, decoded.more, source, arrivalMs)
    return decoded
  }

  /** What must be in the same commit as the readings decoded since the last call, and what is to be told after it. */
  take(): { readonly changes: readonly Change[]; readonly told: readonly Told[] } {
    const taken = { changes: this.#changes, told: this.#told }
    if (this.#changes.length > 0) this.#changes = []
    if (this.#told.length > 0) this.#told = []
    return taken
  }

  /** A commit failed: what was remembered with it is not. */
  reset(): void {
    this.#known = new Map(this.#store.states(owner))
    this.#characters = charactersOf(this.#known)
  }

  #keep(route: Route, { remember = [], presence, replies }: More, source: string | undefined, arrivalMs: number): void {
    for (const { key, value } of remember) this.#remember(keyOf(route, key), value)
    if (presence ?? replies) this.#told.push({ presence, replies, adapter: route.adapter.name, source, arrivalMs })
  }

  #remember(key: string, value: Json | undefined): void {
    const before = this.#known.get(key)
    const grows = sizeOf(key, value) - sizeOf(key, before)
    if (value === undefined) {
      if (!this.#known.delete(key)) return
    } else {
      if (!this.#hasRoom(key, value, before, grows)) {
        this.forgotten += 1
        return
      }
      this.#known.set(key, value)
    }
    this.#characters += grows
    this.#changes.push({ kind: 'state', owner, key, value })
  }

  #hasRoom(key: string, value: Json, before: Json | undefined, grows: number): boolean {
    if (sizeOf(key, value) - key.length > valueCharactersMax) return false
    if (before === undefined && this.#known.size >= rememberedMax) return false
    return grows <= 0 || this.#characters + grows <= rememberedCharactersMax
  }
}

const sizeOf = (key: string, value: Json | undefined): number =>
  value === undefined ? 0 : key.length + JSON.stringify(value).length

function charactersOf(known: ReadonlyMap<string, Json>): number {
  let characters = 0
  for (const [key, value] of known) characters += sizeOf(key, value)
  return characters
}

/** Under another pattern or another adapter the old knowledge would mean something else. */
const keyOf = ({ pattern, adapter }: Route, key: string): string => `${adapter.name} ${pattern.text}\n${key}`

/** A device of which this message tells, though its client may not. */
function otherDevice(decoded: Decoded, mayName: (device: string) => boolean): string | undefined {
  if (decoded.ok) for (const { device } of decoded.readings) if (!mayName(device)) return device
  for (const { device } of decoded.more?.presence ?? []) if (!mayName(device)) return device
  return undefined
}
