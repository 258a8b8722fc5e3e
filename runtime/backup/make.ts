/**
 * Makes backups: of a database as it is at one moment, or of what has changed since another backup.
 *
 * Promises: bounded memory, whatever the size of the database; nothing is changed in it.
 */
import type { Pairs } from '../store/snapshot.ts'
import { type BackupHead, type BackupRecord, type Put, BackupWriter, failedPiece, sealOf } from './container.ts'

/** The bytes of a whole backup, as fast as they are taken. What goes wrong is told in its last piece. */
export async function* backupPieces(
  head: BackupHead,
  pairs: AsyncIterable<Pairs>,
  faultOf: (error: unknown) => { readonly code: string; readonly message: string; readonly hint: string },
): AsyncGenerator<Buffer> {
  const writer = new BackupWriter()
  yield writer.head(head)
  try {
    for await (const some of pairs) yield writer.records(some.map(asPut))
  } catch (error) {
    yield failedPiece(faultOf(error))
    return
  }
  yield writer.end()
}

export const asPut = ([key, value]: readonly [Buffer, Buffer]): Put => ({ kind: 'put', key, value })

/** One after the other, from pieces. */
export async function* putsOf(pairs: AsyncIterable<Pairs>): AsyncGenerator<Put> {
  for await (const some of pairs) for (const pair of some) yield asPut(pair)
}

/**
 * What of a backup is new since another one: both are in the order of keys, so this walks along both. A value that the
 * other one has too, by length and seal, is only named.
 */
export async function* since(
  before: AsyncIterable<BackupRecord>,
  now: AsyncIterable<BackupRecord>,
): AsyncGenerator<BackupRecord> {
  const older = before[Symbol.asyncIterator]()
  try {
    let known = await older.next()
    for await (const record of now) {
      while (known.done !== true && Buffer.compare(known.value.key, record.key) < 0) known = await older.next()
      const isKnown = known.done !== true && known.value.key.equals(record.key) && isSame(known.value, record)
      if (!isKnown || record.kind === 'same') yield record
      else yield { kind: 'same', key: record.key, length: record.value.length, seal: Buffer.from(sealOf(record.value)) }
    }
    // To its end: what was compared with it is only right if it is right itself.
    while (known.done !== true) known = await older.next()
  } finally {
    await older.return?.()
  }
}

export const lengthOf = (record: BackupRecord): number => (record.kind === 'put' ? record.value.length : record.length)
export const sealIn = (record: BackupRecord): Buffer => (record.kind === 'put' ? sealOf(record.value) : record.seal)

const isSame = (a: BackupRecord, b: BackupRecord): boolean => lengthOf(a) === lengthOf(b) && sealIn(a).equals(sealIn(b))
