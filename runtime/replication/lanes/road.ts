/**
 * How much is on the road: handed to the connection, and no sign yet that it has arrived (traffic.ts). What is there can't be
 * overtaken, wherever it lies (our socket, the kernel, a router), so the lower lanes put one frame on it at a time,
 * and more only while each arrives soon after it was handed over.
 *
 * Promises: an alert waits for one frame, or for what the link carries in about a quarter of a second, whichever is
 * more. Pure transitions with time as an argument.
 */
import { windowBytesMax } from '../limits.ts'

/** So much later than an empty road would do it may arrive: then nothing to speak of queues before it. */
export const queuedMsMax = 250
/** A frame that takes longer than this is too large for the link: the next are smaller. */
const frameMsMax = 2_000
export const frameBytesMin = 1_024

export type Road = {
  readonly bytes: number
  /** The lower lanes put something on it while there is less than this. */
  readonly roomBytes: number
  /** At most so large should a frame be. */
  readonly frameBytesMax: number
  /** When `roomBytes` was last made smaller: what was handed over before says nothing new. */
  readonly narrowedAtMs: number
}

export type Load = { readonly bytes: number; readonly atMs: number; readonly wasFull: boolean }

export const emptyRoad: Road = {
  bytes: 0,
  roomBytes: 1,
  frameBytesMax: Number.POSITIVE_INFINITY,
  narrowedAtMs: Number.NEGATIVE_INFINITY,
}

export const hasRoom = ({ bytes, roomBytes }: Road): boolean => bytes < roomBytes

export function handedOver(road: Road, bytes: number, nowMs: number): { road: Road; load: Load } {
  const after = { ...road, bytes: road.bytes + bytes }
  return { road: after, load: { bytes, atMs: nowMs, wasFull: !hasRoom(after) } }
}

/** It has arrived. `quietMs` is what a small message takes there and back on an empty road. */
export function arrived(road: Road, load: Load, quietMs: number, nowMs: number): Road {
  const tookMs = nowMs - load.atMs
  const after = { ...road, bytes: Math.max(0, road.bytes - load.bytes), frameBytesMax: fitting(road, load, tookMs) }
  if (tookMs <= quietMs + queuedMsMax) {
    if (!load.wasFull) return after
    return { ...after, roomBytes: Math.min(road.roomBytes + load.bytes, windowBytesMax) }
  }
  if (load.atMs < road.narrowedAtMs) return after
  return { ...after, roomBytes: Math.max(1, Math.floor(road.roomBytes / 2)), narrowedAtMs: nowMs }
}

/** It is not there any more, and when it arrived nobody knows. */
export const released = (road: Road, { bytes }: Load): Road => ({ ...road, bytes: Math.max(0, road.bytes - bytes) })

function fitting({ frameBytesMax }: Road, { bytes }: Load, tookMs: number): number {
  if (tookMs <= frameMsMax) return tookMs * 2 <= frameMsMax ? frameBytesMax * 2 : frameBytesMax
  return Math.max(frameBytesMin, Math.min(frameBytesMax, Math.floor((bytes * frameMsMax) / tookMs)))
}
