/**
 * A backup on its way to a file or to standard output, packed.
 *
 * Promises: a file appears under its name only when it is whole and durable; an older one of that name is replaced at that
 * moment and not before. As much is in memory as the slower side lets wait.
 */
import { createWriteStream, openSync, renameSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { HoldfastError, messageOf } from '../errors.ts'
import { syncPath } from '../store/folder.ts'
import { type BackupHead, type BackupRecord, BackupWriter, type Counts } from './container.ts'
import { pieceBytesMax } from './limits.ts'

export type Written = Counts & {
  /** Unpacked. */
  readonly bytes: number
  /** As they were written. */
  readonly packedBytes: number
}

/** Blocks of readings are dense already: more effort than this gains little, and takes a small board minutes. */
const level = 3

/** Writes to `file`, or to `stdout` if that is `-`. Throws FILE_UNWRITABLE. */
export async function writeBackup(
  file: string,
  stdout: Writable,
  head: BackupHead,
  records: AsyncIterable<BackupRecord>,
): Promise<Written> {
  const writer = new BackupWriter()
  const aside = `${file}.new`
  const zip = createGzip({ level, chunkSize: 64 * 1024 })
  let packedBytes = 0
  zip.on('data', (chunk: Buffer) => (packedBytes += chunk.length))
  const told = (): Written => ({ ...writer.counts, bytes: writer.bytes, packedBytes })
  if (file === '-') {
    await pipeline(pieces(writer, head, records), zip, stdout, { end: false })
    return told()
  }
  try {
    // Opened here and now: a stream that opens it later could do so when it has been removed.
    await pipeline(pieces(writer, head, records), zip, createWriteStream(aside, { fd: openSync(aside, 'w', 0o600) }))
    syncPath(aside)
    renameSync(aside, file)
    syncPath(dirname(file))
  } catch (error) {
    rmSync(aside, { force: true })
    if (!isOfDisk(error)) throw error
    throw new HoldfastError(
      'FILE_UNWRITABLE',
      `${file} cannot be written: ${messageOf(error)}`,
      'name another file',
      error,
    )
  }
  return told()
}

const isOfDisk = (error: unknown): boolean => (error as { syscall?: unknown } | null)?.syscall !== undefined

/** Records in pieces that are worth a write. */
async function* pieces(
  writer: BackupWriter,
  head: BackupHead,
  records: AsyncIterable<BackupRecord>,
): AsyncGenerator<Buffer> {
  yield writer.head(head)
  let waiting: BackupRecord[] = []
  let bytes = 0
  for await (const record of records) {
    waiting.push(record)
    bytes += record.key.length + (record.kind === 'put' ? record.value.length : 0) + 16
    if (bytes < pieceBytesMax) continue
    yield writer.records(waiting)
    waiting = []
    bytes = 0
  }
  if (waiting.length > 0) yield writer.records(waiting)
  yield writer.end()
}
