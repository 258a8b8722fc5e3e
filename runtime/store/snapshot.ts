/**
 * Every key and value of a database as they lie there, of one moment: what a backup is made of. It only reads, so it
 * works on a full disk and holds up no commit; while it is open the disk keeps what it may still read, so whoever is slow
 * must be sent away.
 */
import { unseal } from './seal.ts'
import { factKey, stateKey } from './keys.ts'
import { decodeJson } from './records.ts'
import type { Level } from './home.ts'
import type { Json } from '../reading.ts'

type Source = Pick<Level, 'iterator'>
export type Pairs = readonly (readonly [key: Buffer, sealed: Buffer])[]

/** Read from LevelDB at once: so much memory, or one value. */
const pieceBytes = 256 * 1024
const piecePairs = 4_096

/** All pairs in the order of their keys. The moment is that of the first piece. */
export async function* snapshotOf(level: Source | Promise<Source>): AsyncGenerator<Pairs> {
  const iterator = (await level).iterator({ highWaterMarkBytes: pieceBytes })
  try {
    for (;;) {
      const pairs = await iterator.nextv(piecePairs)
      if (pairs.length === 0) return
      yield pairs
    }
  } finally {
    await iterator.close()
  }
}

/** The state under which a database keeps the id of its gateway. */
export const originState = { owner: 'origin', key: 'id' } as const
const originKey = stateKey(originState.owner, originState.key)
const formatKey = factKey('format')

export type Facts = { readonly format: number; readonly epoch: string; readonly origin: string | undefined }

/** Whose database it is. Undefined if it has never been opened by a store. */
export function factsOf(get: (key: Buffer) => Buffer | undefined): Facts | undefined {
  const told = valueOf(formatKey, get) as { number?: unknown; epoch?: unknown } | undefined
  if (typeof told?.number !== 'number' || typeof told.epoch !== 'string') return undefined
  const origin = valueOf(originKey, get)
  return { format: told.number, epoch: told.epoch, origin: typeof origin === 'string' ? origin : undefined }
}

function valueOf(key: Buffer, get: (key: Buffer) => Buffer | undefined): Json | undefined {
  const sealed = get(key)
  const value = sealed && unseal(key, sealed)
  return value && decodeJson(value)
}
