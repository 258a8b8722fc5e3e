/**
 * What an end can take, told in its hello: which versions, forms and compressions it reads, how large a message may be,
 * and how much it lets wait for its answer (the credit of a sender). An end that tells nothing is of the version before
 * this was told: it is sent what it always was.
 *
 * Promises: whatever the far side tells, a sender stays within its own bounds too.
 */
import { type Fields, asCount, asFields, asList, asText, optional, wrongShape } from './codec.ts'
import {
  frameRowsMax,
  messageBytesMax,
  messageBytesMin,
  payloadBytesMin,
  rowsMax,
  waitingBytesMax,
  windowBytesMax,
  windowFramesMax,
} from '../limits.ts'
import { compressions, frameForms } from './payload.ts'
import { type Takes, protocolVersion } from './protocol.ts'

/** What we take. */
export const ourTakes: Takes = {
  versions: [protocolVersion],
  forms: frameForms,
  compressions,
  messageBytes: messageBytesMax,
  rows: rowsMax,
  // So many of the most rows: a sender with smaller frames keeps to its own window.
  frames: windowFramesMax,
  bytes: waitingBytesMax,
}

/** What an end takes that tells nothing. */
export const silentTakes: Takes = {
  versions: [protocolVersion],
  forms: ['rows'],
  compressions: [],
  messageBytes: messageBytesMax,
  rows: frameRowsMax,
  frames: windowFramesMax,
  bytes: windowBytesMax,
}

/** Of a hello. What it names beyond what we know is of a later version, and no mistake. */
export function readTakes(hello: Fields): Takes {
  const takes = optional(hello['takes'], present => asFields(present, 'takes'))
  if (takes === undefined) return silentTakes
  const versions = asList(takes['versions'], 'takes.versions', 16).map(version => asCount(version, 'takes.versions'))
  if (!versions.includes(protocolVersion)) wrongShape('takes.versions', `with version ${protocolVersion} in it`)
  return {
    versions,
    forms: names(takes['forms'], 'takes.forms'),
    compressions: names(takes['compressions'], 'takes.compressions'),
    messageBytes: atMost(takes['messageBytes'], 'takes.messageBytes', messageBytesMin, messageBytesMax),
    rows: atMost(takes['rows'], 'takes.rows', frameRowsMax, rowsMax),
    frames: atMost(takes['frames'], 'takes.frames', 1, windowFramesMax),
    bytes: atMost(takes['bytes'], 'takes.bytes', 1, windowBytesMax),
  }
}

/** The same, through a broker that takes payloads of so many bytes at most. */
export const through = (takes: Takes, payloadBytesMax: number): Takes => ({
  ...takes,
  messageBytes: Math.min(takes.messageBytes, payloadBytesMax),
})

/** Why nothing can be sent through such a broker; undefined if it can. */
export const tooNarrow = (payloadBytesMax: number): string | undefined =>
  payloadBytesMax >= payloadBytesMin
    ? undefined
    : `the broker takes payloads of at most ${payloadBytesMax} bytes, and frames need ${payloadBytesMin}: raise its maximum packet size`

const names = (value: unknown, where: string): string[] => asList(value, where, 16).map(name => asText(name, where, 32))

/** The far side's bound or ours, whichever is lower; less than `least` would be no bound but a fault. */
function atMost(value: unknown, where: string, least: number, most: number): number {
  const count = asCount(value, where)
  return count < least ? wrongShape(where, `at least ${least}`) : Math.min(count, most)
}
