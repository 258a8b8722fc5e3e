/** A gateway as its hub knows it: when it was heard of, its conversation, and which of its bridges that is with. */
import type { Exchange } from '../replication/exchange.ts'
import { helloRefreshMs } from '../replication/limits.ts'
import type { DownHello, UpHello } from '../replication/wire/protocol.ts'

/** A bridge that is there says hello this often, and somewhat later on a bad link. */
const presenceMs = 1.1 * helloRefreshMs

/** What a database that was restored has to say. */
export const continuedIn = ({ publish, subscribe }: UpHello) => ({
  continues: new Map(publish.flatMap(({ table, continues }) => (continues === undefined ? [] : [[table, continues]]))),
  back: new Set(subscribe.filter(({ back }) => back === true).map(({ table }) => table)),
})

export type Refusal = DownHello['refused'][number]

/** What the hub knows of one gateway while it runs. */
export class Gateway {
  readonly id: string
  lastContactMs: number
  /** By the monotonic clock of this process. */
  heardAtMs = 0
  hello: UpHello | undefined
  exchange: Exchange | undefined
  /** The tables that `exchange` was made for. */
  tables = ''
  refusals: readonly Refusal[] = []
  /** Greetings and endings, one after the other; of greetings that wait only the newest counts. */
  turn: Promise<void> = Promise.resolve()
  waiting: UpHello | undefined
  againAtMs = Number.NEGATIVE_INFINITY
  /** When the bridge that we talk with said hello last; and another one that wanted to be talked with. */
  helloAtMs = Number.NEGATIVE_INFINITY
  rival: string | undefined

  constructor(id: string, lastContactMs: number) {
    this.id = id
    this.lastContactMs = lastContactMs
  }

  /**
   * The bridge that this gateway's conversation is with, if it is there still and the hello comes from another one. A
   * gateway with two bridges to this hub hears over both what is said to either, and has one position for each table:
   * taking turns, the two would end each other's conversations for ever. So the one that was here first stays.
   */
  holderAgainst({ bridge }: UpHello, nowMs: number): string | undefined {
    const holder = this.hello?.bridge
    const isThere = this.exchange?.session !== undefined && nowMs - this.helloAtMs < presenceMs
    if (isThere && bridge !== undefined && holder !== undefined && holder !== bridge) return holder
    this.helloAtMs = nowMs
    return undefined
  }
}
