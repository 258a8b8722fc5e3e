/** Reading and writing the small messages of protocol.ts; frames of entries have their own file. */
import {
  type Decoded,
  type Fields,
  asCount,
  asFields,
  asKind,
  asList,
  asNumber,
  asPeer,
  asPosition,
  asTable,
  asText,
  decodeMessage,
  encodeMessage,
  optional,
  wrongShape,
} from './codec.ts'
import { reasonBytesMax, streamsMax } from '../limits.ts'
import { type Range, rangesMax } from './place.ts'
import {
  type Again,
  type Ask,
  type Continues,
  type Direction,
  type DownHello,
  type PositionAnswer,
  type Refused,
  type UpHello,
  protocolVersion,
} from './protocol.ts'
import { readTakes } from './takes.ts'

const v = protocolVersion
type Body<T> = Omit<T, 'v'>

export const encodeUpHello = (hello: Body<UpHello>): Buffer => encodeMessage({ v, ...hello })
export const encodeDownHello = (hello: Body<DownHello>): Buffer => encodeMessage({ v, ...hello })
export const encodeAsk = ({ session, run, base }: Body<Ask>): Buffer =>
  encodeMessage({ v, session, run, ...(base === undefined ? {} : { base }) })
export const encodeAgain = (): Buffer => encodeMessage({ v } satisfies Again)
export const encodeRefused = (reason: string, session?: string): Buffer =>
  encodeMessage({ v, reason, versions: [protocolVersion], ...(session === undefined ? {} : { session }) })

export function encodePosition(answer: Body<PositionAnswer>): Buffer {
  const { session, run, seq, ahead, base, wanted, heard, unreadable } = answer
  return encodeMessage({
    v,
    session,
    run,
    seq,
    ...(ahead.length === 0 ? {} : { ahead }),
    ...(base === undefined ? {} : { base }),
    ...(wanted === undefined ? {} : { wanted }),
    ...(heard === undefined ? {} : { heard }),
    ...(unreadable === undefined ? {} : { unreadable }),
  })
}

export const decodeUpHello = (bytes: Uint8Array): Decoded<UpHello> =>
  decodeMessage(bytes, fields => ({
    v,
    session: asText(fields['session'], 'session', 64),
    gateway: asPeer(fields['gateway'], 'gateway'),
    bridge: optional(fields['bridge'], bridge => asText(bridge, 'bridge', 64)),
    epoch: asText(fields['epoch'], 'epoch', 64),
    wallMs: asNumber(fields['wallMs'], 'wallMs'),
    clockTrusted: fields['clockTrusted'] === true,
    takes: readTakes(fields),
    publish: each(fields['publish'], 'publish', stream => ({
      table: asTable(stream['table'], 'publish.table'),
      kind: asKind(stream['kind'], 'publish.kind'),
      epoch: asText(stream['epoch'], 'publish.epoch', 64),
      head: optional(stream['head'], head => asPosition(head, 'publish.head')),
      waits: optional(stream['waits'], waits => asText(waits, 'publish.waits', reasonBytesMax)),
      ...asContinues(stream['continues']),
    })),
    subscribe: each(fields['subscribe'], 'subscribe', stream => ({
      table: asTable(stream['table'], 'subscribe.table'),
      kind: asKind(stream['kind'], 'subscribe.kind'),
      ...(stream['back'] === true && { back: true }),
    })),
  }))

export const decodeDownHello = (bytes: Uint8Array): Decoded<DownHello> =>
  decodeMessage(bytes, fields => ({
    v,
    session: asText(fields['session'], 'session', 64),
    hub: asPeer(fields['hub'], 'hub'),
    epoch: asText(fields['epoch'], 'epoch', 64),
    wallMs: asNumber(fields['wallMs'], 'wallMs'),
    clockTrusted: fields['clockTrusted'] === true,
    takes: readTakes(fields),
    positions: each(fields['positions'], 'positions', stream => ({
      table: asTable(stream['table'], 'positions.table'),
      seq: asPosition(stream['seq'], 'positions.seq'),
      ahead: optional(stream['ahead'], asRanges),
      ...(stream['continued'] === true && { continued: true }),
      ...(stream['back'] === true && { back: true }),
    })),
    streams: each(fields['streams'], 'streams', stream => ({
      table: asTable(stream['table'], 'streams.table'),
      epoch: asText(stream['epoch'], 'streams.epoch', 64),
      ...asContinues(stream['continues']),
    })),
    refused: each(fields['refused'], 'refused', stream => ({
      table: asTable(stream['table'], 'refused.table'),
      direction: asDirection(stream['direction']),
      reason: asText(stream['reason'], 'refused.reason', reasonBytesMax),
    })),
  }))

export const decodePosition = (bytes: Uint8Array): Decoded<PositionAnswer> =>
  decodeMessage(bytes, fields => ({
    v,
    session: asText(fields['session'], 'session', 64),
    run: asCount(fields['run'], 'run'),
    seq: asPosition(fields['seq'], 'seq'),
    ahead: optional(fields['ahead'], asRanges) ?? [],
    base: optional(fields['base'], base => asPosition(base, 'base')),
    wanted: optional(fields['wanted'], wanted => asPosition(wanted, 'wanted')),
    heard: optional(fields['heard'], heard => asCount(heard, 'heard')),
    unreadable: optional(fields['unreadable'], present => {
      const { reason, sum } = asFields(present, 'unreadable')
      return { reason: asText(reason, 'unreadable.reason', reasonBytesMax), sum: asCount(sum, 'unreadable.sum') }
    }),
  }))

export const decodeAsk = (bytes: Uint8Array): Decoded<Ask> =>
  decodeMessage(bytes, fields => ({
    v,
    session: asText(fields['session'], 'session', 64),
    run: asCount(fields['run'], 'run'),
    base: optional(fields['base'], base => asPosition(base, 'base')),
  }))

export const decodeAgain = (bytes: Uint8Array): Decoded<Again> => decodeMessage(bytes, () => ({ v }))

export const decodeRefused = (bytes: Uint8Array): Decoded<Refused> =>
  decodeMessage(bytes, fields => ({
    v,
    session: optional(fields['session'], session => asText(session, 'session', 64)),
    reason: asText(fields['reason'], 'reason', reasonBytesMax),
    versions: asList(fields['versions'], 'versions', 16).map(version => asCount(version, 'versions')),
  }))

function asContinues(value: unknown): { readonly continues?: Continues } {
  if (value === undefined || value === null) return {}
  const { gateway, epoch, seq } = asFields(value, 'continues')
  return {
    continues: {
      gateway: asPeer(gateway, 'continues.gateway'),
      epoch: asText(epoch, 'continues.epoch', 64),
      seq: asPosition(seq, 'continues.seq'),
    },
  }
}

const asRanges = (value: unknown): Range[] =>
  asList(value, 'ahead', rangesMax).map(item => {
    const [from, to] = asList(item, 'ahead', 2)
    const range: Range = [asPosition(from, 'ahead.from'), asPosition(to, 'ahead.to')]
    return range[0] < range[1] ? range : wrongShape('ahead', 'ranges, each with its end after its beginning')
  })

const asDirection = (value: unknown): Direction =>
  value === 'up' || value === 'down' ? value : wrongShape('refused.direction', '"up" or "down"')

function each<T>(value: unknown, where: string, read: (fields: Fields) => T): T[] {
  return asList(value, where, streamsMax).map(item => read(asFields(item, where)))
}
