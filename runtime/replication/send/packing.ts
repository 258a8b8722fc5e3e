/**
 * What was read from a log becomes the payloads of the next frame: cut, encoded, compressed, and cut smaller if it came
 * out too large. Pure.
 *
 * Promises: no message is larger than the frame size asked for, unless one transaction alone is; none is larger than what
 * the far side takes. A frame in columns holds as many rows as that allows, which is what makes a backlog drain fast.
 */
import type { Entry, Seq, TableKind } from '../../store/types.ts'
import { type Cut, type CutOptions, cutFrame } from './cut.ts'
import type { FrameHead } from '../wire/frames.ts'
import { columnsBytesMax, envelopeBytesMax, frameRowsMax, readMax } from '../limits.ts'
import { encodePayload } from '../wire/payload.ts'
import type { Takes } from '../wire/protocol.ts'

export type Packed = { readonly cut: Cut; readonly payloads: readonly Buffer[] }

type Place = Pick<FrameHead, 'session' | 'run' | 'head'> & { readonly after: Seq }

const isDense = (kind: TableKind, far: Takes): boolean => kind === 'series' && far.forms.includes('columns')

/** How many entries are worth reading for one frame. */
export const readCount = (kind: TableKind, far: Takes): number => (isDense(kind, far) ? far.rows : readMax[kind])

export function packFrame(
  kind: TableKind,
  entries: readonly Entry[],
  options: Omit<CutOptions, 'rows' | 'rowsBytes'>,
  far: Takes,
  place: Place,
): Packed {
  const rowsBytes = far.messageBytes - envelopeBytesMax
  const frameBytes = Math.min(options.frameBytes, rowsBytes)
  const payloadBytesMax = Math.min(options.frameBytes, far.messageBytes)
  const rows = isDense(kind, far) ? far.rows : frameRowsMax
  for (let bytes = isDense(kind, far) ? columnsBytesMax : frameBytes; ; bytes = Math.max(bytes / 2, frameBytes)) {
    const cut = cutFrame(entries, { ...options, frameBytes: bytes, rowsBytes, rows })
    const payloads = encodeParts(kind, cut, far, place)
    // By the measure of the cut, rows of so many bytes are never more than that.
    if (bytes === frameBytes || payloads.every(payload => payload.length <= payloadBytesMax)) return { cut, payloads }
  }
}

function encodeParts(kind: TableKind, cut: Cut, far: Takes, place: Place): Buffer[] {
  const parts = cut.parts.length === 0 ? [[]] : cut.parts
  return parts.map((sent, part) => {
    const gaps = part === parts.length - 1 ? cut.gaps : []
    return encodePayload(kind, { ...place, last: cut.last, part, parts: parts.length, gaps }, sent, far)
  })
}
