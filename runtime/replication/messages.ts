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
import { reasonBytesMax, streamsMax } from './limits.ts'
import {
  type Again,
  type Ask,
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
export const encodeAsk = (ask: Body<Ask>): Buffer => encodeMessage({ v, ...ask })
export const encodeAgain = (): Buffer => encodeMessage({ v } satisfies Again)
export const encodeRefused = (reason: string): Buffer =>
  encodeMessage({ v, reason, versions: [protocolVersion] } satisfies Refused)

export function encodePosition(answer: Body<PositionAnswer>): Buffer {
  const { session, run, seq, wanted, unreadable } = answer
  return encodeMessage({
    v,
    session,
    run,
    seq,
    ...(wanted === undefined ? {} : { wanted }),
    ...(unreadable === undefined ? {} : { unreadable }),
  })
}

export const decodeUpHello = (bytes: Uint8Array): Decoded<UpHello> =>
  decodeMessage(bytes, fields => ({
    v,
    session: asText(fields['session'], 'session', 64),
    gateway: asPeer(fields['gateway'], 'gateway'),
    epoch: asText(fields['epoch'], 'epoch', 64),
    wallMs: asNumber(fields['wallMs'], 'wallMs'),
    clockTrusted: fields['clockTrusted'] === true,
    takes: readTakes(fields),
    publish: each(fields['publish'], 'publish', stream => ({
      table: asTable(stream['table'], 'publish.table'),
      kind: asKind(stream['kind'], 'publish.kind'),
      epoch: asText(stream['epoch'], 'publish.epoch', 64),
    })),
    subscribe: each(fields['subscribe'], 'subscribe', stream => ({
      table: asTable(stream['table'], 'subscribe.table'),
      kind: asKind(stream['kind'], 'subscribe.kind'),
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
    })),
    streams: each(fields['streams'], 'streams', stream => ({
      table: asTable(stream['table'], 'streams.table'),
      epoch: asText(stream['epoch'], 'streams.epoch', 64),
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
    wanted: optional(fields['wanted'], wanted => asPosition(wanted, 'wanted')),
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
  }))

export const decodeAgain = (bytes: Uint8Array): Decoded<Again> => decodeMessage(bytes, () => ({ v }))

export const decodeRefused = (bytes: Uint8Array): Decoded<Refused> =>
  decodeMessage(bytes, fields => ({
    v,
    reason: asText(fields['reason'], 'reason', reasonBytesMax),
    versions: asList(fields['versions'], 'versions', 16).map(version => asCount(version, 'versions')),
  }))

const asDirection = (value: unknown): Direction =>
  value === 'up' || value === 'down' ? value : wrongShape('refused.direction', '"up" or "down"')

function each<T>(value: unknown, where: string, read: (fields: Fields) => T): T[] {
  return asList(value, where, streamsMax).map(item => read(asFields(item, where)))
}
