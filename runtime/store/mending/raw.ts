/** A database before anything is believed of it: pairs as they lie there, with their seals tried. Reads only. */
import type { Level } from '../home.ts'
import { unseal } from '../seal.ts'

export type RawPair = {
  readonly key: Buffer
  readonly sealed: Buffer
  /** Undefined if it is not what was written. */
  readonly value: Buffer | undefined
}

export type RawRange = {
  readonly gte: Buffer
  readonly lt: Buffer
  readonly reverse?: boolean
  readonly limit?: number
}

export async function* rawPairs(level: Pick<Level, 'iterator'>, range: RawRange): AsyncGenerator<RawPair> {
  const iterator = level.iterator(range)
  try {
    for (;;) {
      const pairs = await iterator.nextv(256)
      if (pairs.length === 0) return
      for (const [key, sealed] of pairs) yield { key, sealed, value: unseal(key, sealed) }
    }
  } finally {
    await iterator.close()
  }
}

export async function* rawKeys(level: Pick<Level, 'iterator'>, range: RawRange): AsyncGenerator<Buffer> {
  const iterator = level.iterator({ ...range, values: false })
  try {
    for (;;) {
      const pairs = await iterator.nextv(1024)
      if (pairs.length === 0) return
      for (const [key] of pairs) yield key
    }
  } finally {
    await iterator.close()
  }
}

export async function lastKeyOf(level: Pick<Level, 'iterator'>, range: RawRange): Promise<Buffer | undefined> {
  for await (const key of rawKeys(level, { ...range, reverse: true, limit: 1 })) return key
  return undefined
}
