/**
 * The payload of an `entries` message: a frame in one of its forms, compressed if the far side can take that.
 *
 *   0xa0..0xbf …                               a CBOR map: rows as they are. Any end reads these.
 *   byte form + compression, CRC-32 (4, big-endian) of what follows, body
 *     form         0x10 rows (CBOR), 0x20 columns
 *     compression  0 none, 1 deflate (raw), 2 brotli
 *
 * Promises: what is wrong with a payload is told by name, however it is wrong, after work that its size bounds. A body
 * that would grow beyond `inflatedBytesMax` is given up on the way. The checksum finds what a link without TLS bent [M4].
 */
import { brotliCompressSync, brotliDecompressSync, constants, crc32, deflateRawSync, inflateRawSync } from 'node:zlib'
import { messageOf } from '../../errors.ts'
import type { TableKind } from '../../store/types.ts'
import type { Decoded, RefusalName } from './codec.ts'
import { encodeColumns } from './columns.ts'
import { decodeColumns } from './columns-read.ts'
import { type Frame, type FrameHead, type SentEntry, decodeFrame, encodeFrame } from './frames.ts'
import { inflatedBytesMax, messageBytesMax } from '../limits.ts'

export const compressions = ['brotli', 'deflate'] as const
export type Compression = (typeof compressions)[number]
export const frameForms = ['columns', 'rows'] as const

/** What the far side can read. An end that says nothing reads rows, not compressed. */
export type Readable = { readonly forms: readonly string[]; readonly compressions: readonly string[] }

const rowsForm = 0x10
const columnsForm = 0x20
const codes = { none: 0, deflate: 1, brotli: 2 } as const
const frontBytes = 5
/** Smaller than this, compressing saves nothing worth the time. */
const compressFromBytes = 200
/** Of brotli's 12 qualities: 5 to 9 take longer and gain nothing on these columns, 11 gains a seventh for forty times the work. */
const brotliQuality = 4
/** A window need not be larger than a body. */
const brotliWindowBits = 18

export function encodePayload(kind: TableKind, head: FrameHead, sent: readonly SentEntry[], far: Readable): Buffer {
  const compression = compressions.find(one => far.compressions.includes(one))
  const columns = kind === 'series' && far.forms.includes('columns') ? encodeColumns(head, sent) : undefined
  const dense =
    columns === undefined || columns.length > inflatedBytesMax ? undefined : wrap(columnsForm, columns, compression)
  if (dense !== undefined && dense.length <= messageBytesMax) return dense
  const rows = encodeFrame(kind, head, sent, far.forms.includes('columns'))
  return compression === undefined || rows.length < compressFromBytes ? rows : wrap(rowsForm, rows, compression)
}

function wrap(form: number, plain: Buffer, compression: Compression | undefined): Buffer {
  const isSmall = compression === undefined || plain.length < compressFromBytes
  const packed = isSmall ? plain : compress(plain, compression)
  const isWorth = packed.length < plain.length
  const code = isWorth && compression !== undefined ? codes[compression] : codes.none
  const body = isWorth ? packed : plain
  const front = Buffer.allocUnsafe(frontBytes)
  front[0] = form | code
  front.writeUInt32BE(crc32(body), 1)
  return Buffer.concat([front, body])
}

function compress(plain: Buffer, compression: Compression): Buffer {
  if (compression === 'deflate') return deflateRawSync(plain, { level: 6 })
  return brotliCompressSync(plain, {
    params: {
      [constants.BROTLI_PARAM_QUALITY]: brotliQuality,
      [constants.BROTLI_PARAM_LGWIN]: brotliWindowBits,
      [constants.BROTLI_PARAM_SIZE_HINT]: plain.length,
    },
  })
}

export function decodePayload(payload: Buffer, kind: TableKind): Decoded<Frame> {
  if (payload.length > messageBytesMax) return refused('too-large', `${payload.length} bytes`)
  const first = payload[0] ?? 0
  // What begins as no form of ours does is CBOR, or what the reader of CBOR names.
  if (first >= 0x40) return decodeFrame(payload, kind)
  const form = first & 0xf0
  const code = first & 0x0f
  const isKnown = (form === rowsForm || (form === columnsForm && kind === 'series')) && code <= codes.brotli
  if (!isKnown) return refused('form', `0x${first.toString(16)}`)
  if (payload.length < frontBytes) return refused('form', 'it ends before its checksum')
  const body = payload.subarray(frontBytes)
  if (crc32(body) !== payload.readUInt32BE(1)) return refused('checksum', `${body.length} bytes`)
  let plain: Buffer
  try {
    plain = decompress(body, code)
  } catch (error) {
    return refused('compression', messageOf(error))
  }
  return form === columnsForm ? decodeColumns(plain) : decodeFrame(plain, kind)
}

function decompress(body: Buffer, code: number): Buffer {
  if (code === codes.none) return body
  return code === codes.deflate
    ? inflateRawSync(body, { maxOutputLength: inflatedBytesMax })
    : brotliDecompressSync(body, { maxOutputLength: inflatedBytesMax })
}

const refused = (name: RefusalName, detail: string): Decoded<Frame> => ({ ok: false, refused: name, detail })
