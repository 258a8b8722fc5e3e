/**
 * The wire protocol, version 1: what the two ends of a bridge say to each other over any MQTT 3.1.1 broker. This is its
 * short form; docs/replication.md is the whole of it, byte for byte, and test/replication/vectors has examples.
 *
 *   holdfast/v1/<gateway>/up/...      gateway to hub          everything is QoS 1, not retained, clean session,
 *   holdfast/v1/<gateway>/down/...    hub to gateway          CBOR without tags, at most 128 KiB
 *
 * <gateway> is the gateway's id and its MQTT user: it may write its own `up` and read its own `down`, nothing else.
 * Levels are [A-Za-z0-9_-]+ and there are at most 5 slashes, so that every broker between the two takes them.
 *
 *   up/hello            who I am, which database (epoch), which tables I publish and subscribe; names the session
 *   down/hello          the answer: who the hub is, what it holds of each published table, what it refuses and why
 *   <dir>/entries/<t>   a frame: a run of entries of table t, `after` < seq <= `last`
 *   <dir>/position/<t>  the answer, against the stream's direction: committed up to `seq`
 *   <dir>/ask/<t>       "where are you?", asked when answers stay away; answered with a position
 *   down/again          "I don't know you (any more)": the gateway says hello again
 *   down/refused        the hub will not talk to this gateway, and why
 *
 * A stream is one table in one direction. The receiving end commits entries and position in one transaction [I3] and
 * then answers; that answer, never a PUBACK, moves the sender's cursor. The sender keeps a few frames in flight. What
 * the receiver has it drops; what comes too early (a frame before it was lost) it drops too, and answers with
 * `wanted`: the sender goes back to there. Each going back starts a new `run`, a number that frames carry and answers
 * repeat, so that a late answer never sends it back twice. All of it belongs to a session: a connection starts a new
 * one, and messages of an older one are dropped.
 *
 * Positions belong to (sender, epoch, table). A database that was made anew, or that turns out to be older than what
 * the far side has of it, gets a new epoch and starts over.
 *
 * A frame that can't be read is answered with the reason and the CRC-32 of its bytes. The sender then sends what was in
 * it one transaction at a time, and tells the one that can't be read even alone as a gap, so that the rest flows.
 *
 * Hellos tell what each end takes: forms of frames, compressions, bounds, and the credit of a sender. To an end that
 * takes them, frames of readings go in columns (columns.ts) and everything compressed (payload.ts); an end of the version
 * before tells nothing, and is sent what it always was.
 *
 * A stream may be ahead of itself: a sender may send a live part, frames that begin at a `base` far beyond the position,
 * before their turn, and the backlog beside it. The receiver keeps such ranges with its position (place.ts), tells them
 * in its hello and answers (`ahead`), and goes on at a range's end when its position reaches it. Frames of a live part
 * name its `base`, and so do answers and asks that are about it; it has runs of its own. Only to an end that tells
 * `ahead` in its hello.
 *
 * Down-streams start when the gateway has sent its first position; up-streams start from the positions in down/hello.
 * Maps may grow keys: readers ignore keys that they do not know. A message of another version is refused by name.
 */
import type { Seq, TableKind } from '../../store/types.ts'
import type { Range } from './place.ts'

export const protocolVersion = 1

export type Direction = 'up' | 'down'

/** The stream of another gateway or hub, up to a position, that this one goes on with under its own name. */
export type Continues = { readonly gateway: string; readonly epoch: string; readonly seq: Seq }

export type StreamOffer = {
  readonly table: string
  readonly kind: TableKind
  readonly epoch: string
  /** Of a database that was restored under another id. */
  readonly continues?: Continues | undefined
}
export type StreamWish = {
  readonly table: string
  readonly kind: TableKind
  /** True if what came from here shall be sent back too: our database was set back. */
  readonly back?: boolean | undefined
}

/** What an end can read, and how much it lets wait. */
export type Takes = {
  readonly versions: readonly number[]
  readonly forms: readonly string[]
  readonly compressions: readonly string[]
  /** In one message, and in one frame. */
  readonly messageBytes: number
  readonly rows: number
  /** Of one stream: how many frames, and bytes of them, may wait for an answer. */
  readonly frames: number
  readonly bytes: number
}

/** What a gateway knows of a stream that it has not sent all of; an end of before this was told says nothing. */
export type StreamPending = {
  /** The newest position that may still be sent. */
  readonly head?: Seq | undefined
  /** Why nothing is sent now, though there is something. */
  readonly waits?: string | undefined
}

export type UpHello = {
  readonly v: typeof protocolVersion
  readonly session: string
  readonly gateway: string
  /** Which of its bridges this is: a hub talks with one. An end of before this was told says nothing. */
  readonly bridge: string | undefined
  /** Of the gateway's database. */
  readonly epoch: string
  readonly wallMs: number
  /** Does the teller know that its clock is right? One that says nothing does not. */
  readonly clockTrusted: boolean
  /** What this end can take; an end of before this was told says nothing. */
  readonly takes: Takes
  readonly publish: readonly (StreamOffer & StreamPending)[]
  readonly subscribe: readonly StreamWish[]
}

/** `ahead` is there, though it may be empty, if the receiver takes frames before their turn. */
export type StreamPosition = {
  readonly table: string
  readonly seq: Seq
  readonly ahead: readonly Range[] | undefined
  /** The receiver has understood what the stream continues, and `seq` says how far it has that. */
  readonly continued?: boolean | undefined
  /** True if what came from there shall be sent back too. */
  readonly back?: boolean | undefined
}

export type DownHello = {
  readonly v: typeof protocolVersion
  readonly session: string
  readonly hub: string
  readonly epoch: string
  readonly wallMs: number
  /** Does the teller know that its clock is right? One that says nothing does not. */
  readonly clockTrusted: boolean
  readonly takes: Takes
  /** What the hub has committed of each table that the gateway publishes. A table not listed here is not taken. */
  readonly positions: readonly StreamPosition[]
  /** The tables that the hub will send, each with the epoch that the gateway's positions belong to. */
  readonly streams: readonly {
    readonly table: string
    readonly epoch: string
    readonly continues?: Continues | undefined
  }[]
  readonly refused: readonly { readonly table: string; readonly direction: Direction; readonly reason: string }[]
}

export type PositionAnswer = {
  readonly v: typeof protocolVersion
  readonly session: string
  readonly run: number
  /** Committed up to here. */
  readonly seq: Seq
  /** Send again from after this one: something before what came last is missing. */
  readonly wanted: Seq | undefined
  /** Ranges beyond `seq` that are committed too; an end that does not know of frames before their turn says nothing. */
  readonly ahead: readonly Range[]
  /** `run` and `wanted` are about the live part that begins here, not about what comes in its turn. */
  readonly base: Seq | undefined
  /** The CRC-32 of a frame that has come: it need not be committed yet, and says nothing of `seq`. */
  readonly heard?: number | undefined
  /** A frame could not be read: sending it again as it is will not help. `sum` is the CRC-32 of its bytes. */
  readonly unreadable: { readonly reason: string; readonly sum: number } | undefined
}

export type Ask = {
  readonly v: typeof protocolVersion
  readonly session: string
  readonly run: number
  /** Asks about the live part that begins here. */
  readonly base: Seq | undefined
}

export type Again = { readonly v: typeof protocolVersion }

export type Refused = {
  readonly v: typeof protocolVersion
  /** Of the hello that is refused; left out where it could not be read. Whoever said another one is not meant. */
  readonly session: string | undefined
  readonly reason: string
  readonly versions: readonly number[]
}

const topicRoot = 'holdfast/v1'

/** Names of gateways and hubs: what fits one topic level anywhere. */
export const isPeerName = (name: string): boolean => /^[A-Za-z0-9_-]{1,64}$/.test(name)
export const isTableName = (name: string): boolean => /^[a-z][a-z0-9_-]{0,63}$/.test(name)

export const plainMessages = ['hello', 'again', 'refused'] as const
export const streamMessages = ['entries', 'position', 'ask'] as const
export type PlainMessage = (typeof plainMessages)[number]
export type StreamMessage = (typeof streamMessages)[number]

export type Topic = { readonly gateway: string; readonly direction: Direction } & (
  | { readonly name: PlainMessage; readonly table: undefined }
  | { readonly name: StreamMessage; readonly table: string }
)

export function topicOf(gateway: string, direction: Direction, name: PlainMessage): string
export function topicOf(gateway: string, direction: Direction, name: StreamMessage, table: string): string
export function topicOf(gateway: string, direction: Direction, name: string, table?: string): string {
  const start = `${topicRoot}/${gateway}/${direction}/${name}`
  return table === undefined ? start : `${start}/${table}`
}

/** As long as a topic of this gateway can be. */
export const longestTopic = (gateway: string, direction: Direction): string =>
  topicOf(gateway, direction, 'position', 'x'.repeat(64))

/** The filter of everything that goes one way to or from a gateway; `+` for all gateways. */
export const filterOf = (gateway: string, direction: Direction): string => `${topicRoot}/${gateway}/${direction}/#`

/** What a topic says, or undefined if it is none of ours. */
export function parseTopic(topic: string): Topic | undefined {
  const [root, version, gateway = '', direction, name, table, ...more] = topic.split('/')
  if (`${root}/${version}` !== topicRoot || more.length > 0 || !isPeerName(gateway)) return undefined
  if (direction !== 'up' && direction !== 'down') return undefined
  const plain = plainMessages.find(known => known === name)
  if (plain !== undefined) return table === undefined ? { gateway, direction, name: plain, table } : undefined
  const stream = streamMessages.find(known => known === name)
  if (stream === undefined || table === undefined || !isTableName(table)) return undefined
  return { gateway, direction, name: stream, table }
}
