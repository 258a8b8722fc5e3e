/**
 * What a PUBLISH of MQTT 5 says in front of its payload, for one connection: properties, and topics by number
 * [MQTT-3.3.2-7 to -12].
 */
import { Cursor } from './cursor.ts'
import { type Properties, scanProperties } from './properties.ts'
import { withoutProperties } from './publish-form.ts'

export type Head = {
  readonly fault: 'packet_form' | 'packet_protocol' | 'topic_alias' | undefined
  readonly topic: Buffer
  readonly payloadStart: number
  readonly properties: Properties | undefined
  /** Not even an alias. */
  readonly isBare: boolean
}

const nothing = Buffer.alloc(0)
const wrong = (fault: Head['fault']): Head => ({
  fault,
  topic: nothing,
  payloadStart: 0,
  properties: undefined,
  isBare: false,
})

export class Heads {
  readonly #aliasesMax: number
  readonly #topics = new Map<number, Buffer>()
  readonly #onTheirWay: (Properties | undefined)[] = []

  constructor(aliasesMax: number) {
    this.#aliasesMax = aliasesMax
  }

  /** `at` is where its properties begin. */
  read(buffer: Buffer, at: number, end: number, named: Buffer): Head {
    const cursor = new Cursor(buffer, at, end)
    const { fault, alias, properties } = scanProperties(cursor, 'publish')
    if (fault !== undefined) return wrong(fault === 'malformed' ? 'packet_form' : 'packet_protocol')
    if (alias > this.#aliasesMax) return wrong('topic_alias')
    // A copy: a slice would keep the whole chunk.
    if (alias > 0 && named.length > 0) this.#topics.set(alias, Buffer.from(named))
    const topic = named.length > 0 ? named : this.#topics.get(alias)
    if (topic === undefined) return wrong(alias > 0 ? 'topic_alias' : 'packet_protocol')
    return { fault: undefined, topic, payloadStart: cursor.at, properties, isBare: cursor.at === at + 1 }
  }

  /**
   * The PUBLISH as aedes is given it: its topic in full, and no properties, which are asked for with `next`. Undefined if
   * it is so already.
   */
  bare({ topic, properties, isBare }: Head, flags: number, messageId: number, payload: Buffer): Buffer | undefined {
    this.#onTheirWay.push(properties)
    return isBare ? undefined : withoutProperties(flags, topic, messageId, payload)
  }

  /** The properties of the publish that aedes asks about next: they keep their order. */
  next(): Properties | undefined {
    return this.#onTheirWay.shift()
  }
}
