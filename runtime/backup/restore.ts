/**
 * From backups to a database in an empty folder, offline.
 *
 * Promises: nothing has the name of a database before every file was read to its end, every checksum was right and what
 * was written was read again from the disk; nothing is ever restored over another database. The new database has a new
 * epoch, and a note from which the gateway that opens it knows how its streams go on (replication/restored.ts).
 */
import { createHash } from 'node:crypto'
import type { Readable } from 'node:stream'
import { HoldfastError } from '../errors.ts'
import { ByteReader } from '../store/bytes.ts'
import { NewDatabase, mustBeFree, whyNotWritten } from '../store/closed.ts'
import { formatNumber } from '../store/database.ts'
import { factKey, stateKey } from '../store/keys.ts'
import { decodeJson, encodeJson } from '../store/records.ts'
import { restoredState, type Restored } from '../store/restored.ts'
import { seal, unseal } from '../store/seal.ts'
import { originState } from '../store/snapshot.ts'
import { type BackupHead, type BackupRecord, type Put, damaged } from './container.ts'
import { lengthOf, sealIn } from './make.ts'
import { BackupReader, fileChunks, nameOf } from './reader.ts'

export type Content = {
  /** Of the newest file. */
  readonly head: BackupHead
  readonly pairs: number
  readonly bytes: number
  /** Values whose own seal does not fit: they were damaged in the database that was backed up. */
  readonly damaged: number
}

type Chain = readonly [newest: BackupReader, ...older: BackupReader[]]

/** Opens a backup and the increments that continue it, the oldest first. Throws BACKUP_CHAIN if they do not fit. */
export async function openChain(files: readonly string[], stdin: Readable): Promise<Chain> {
  const readers: BackupReader[] = []
  try {
    for (const file of files) readers.push(await BackupReader.open(fileChunks(file, stdin), nameOf(file)))
    for (const [index, { head, name }] of readers.entries()) {
      const before = readers[index - 1]
      if (head.base === (before?.head.id ?? null)) continue
      throw new HoldfastError(
        'BACKUP_CHAIN',
        before === undefined
          ? `the backup ${name} is an increment: it has only what changed since the backup ${head.base}`
          : `the backup ${name} does not continue ${before.name}`,
        'name the full backup first, then its increments in the order in which they were made',
      )
    }
    return readers.toReversed() as unknown as Chain
  } catch (error) {
    for (const reader of readers) await reader.close()
    throw error
  }
}

/** Every pair that a chain of backups holds, in the order of keys. What was given is right once this has ended. */
export async function* joined([newest, ...older]: Chain): AsyncGenerator<Put> {
  const layers = older.map(reader => new Layer(reader))
  try {
    for await (const record of newest.records()) yield await wholeOf(record, newest, layers)
    for (const layer of layers) await layer.finish()
  } finally {
    for (const layer of layers) await layer.close()
  }
}

async function wholeOf(record: BackupRecord, reader: BackupReader, layers: readonly Layer[]): Promise<Put> {
  if (record.kind === 'put') return record
  for (const layer of layers) {
    const found = await layer.at(record.key)
    if (found === undefined || lengthOf(found) !== record.length || !sealIn(found).equals(record.seal)) break
    if (found.kind === 'put') return found
  }
  throw damaged(reader.name, 'it names a value that the backups before it do not have')
}

/** One of the older backups, read along with the newest. */
class Layer {
  readonly #records: AsyncIterator<BackupRecord>
  #current: IteratorResult<BackupRecord> | undefined

  constructor(reader: BackupReader) {
    this.#records = reader.records()[Symbol.asyncIterator]()
  }

  async at(key: Buffer): Promise<BackupRecord | undefined> {
    this.#current ??= await this.#records.next()
    while (this.#current.done !== true && Buffer.compare(this.#current.value.key, key) < 0)
      this.#current = await this.#records.next()
    return this.#current.done !== true && this.#current.value.key.equals(key) ? this.#current.value : undefined
  }

  /** To its end, where its checksum is. */
  async finish(): Promise<void> {
    while (this.#current?.done !== true) this.#current = await this.#records.next()
  }

  async close(): Promise<void> {
    await this.#records.return?.()
  }
}

/** Reads everything and believes nothing: throws BACKUP_UNREADABLE if there is anything wrong. */
export async function verifyChain(chain: Chain, onProgress: (bytes: number) => void): Promise<Content> {
  const tally = new Tally(chain)
  for await (const put of joined(chain)) onProgress(tally.add(put))
  return tally.content()
}

/** One file, whatever it continues. */
export async function verifyFile(reader: BackupReader, onProgress: (bytes: number) => void): Promise<Content> {
  const tally = new Tally([reader])
  for await (const record of reader.records()) onProgress(tally.add(record))
  return tally.content()
}

export type RestoreOptions = {
  readonly to: string
  /** The id of the gateway that it will be; undefined for that which it was. */
  readonly gateway: string | undefined
  /** The gateway that was backed up goes on running: what it has not sent is for it to send. */
  readonly isClone: boolean
  readonly nowMs: number
  readonly randomId: () => string
  readonly onProgress: (bytes: number) => void
}

/** Throws FOLDER_TAKEN, STORE_NEWER, BACKUP_UNREADABLE, or STORE_FULL. */
export async function restore(chain: Chain, options: RestoreOptions): Promise<Content> {
  const [{ head }] = chain
  mustBeKnown(head)
  mustBeFree(options.to)
  const database = await NewDatabase.create(options.to)
  try {
    const tally = new Tally(chain)
    for await (const put of joined(chain)) {
      options.onProgress(tally.add(put))
      await database.put(put.key, put.value)
    }
    await mustBeSame(database, tally)
    await takeOver(database, head, options)
    await database.finish()
    return tally.content()
  } catch (error) {
    await database.abandon()
    if (error instanceof HoldfastError) throw error
    const hint = 'make room, or name a folder on another disk: what was written is removed'
    throw new HoldfastError(
      'STORE_FAILED',
      `the database in ${options.to} cannot be written: ${whyNotWritten(error)}`,
      hint,
      error,
    )
  }
}

export function mustBeKnown({ format }: BackupHead): void {
  if (format <= formatNumber) return
  throw new HoldfastError(
    'STORE_NEWER',
    `the backup is that of a newer Holdfast (format ${format}; this one knows ${formatNumber})`,
    'restore it with the newer version',
  )
}

async function mustBeSame(database: NewDatabase, tally: Tally): Promise<void> {
  const written = createHash('sha256')
  for await (const pairs of database.pairs()) for (const [key, value] of pairs) written.update(key).update(value)
  if (written.digest('hex') === tally.sum()) return
  throw new HoldfastError('STORE_DAMAGED', 'the disk does not give back what was written to it', 'try another disk')
}

/** From here on its numbers are its own: nobody must take them for those that the old database gave. */
async function takeOver(database: NewDatabase, head: BackupHead, options: RestoreOptions): Promise<void> {
  const { gateway = head.gateway, isClone, nowMs, randomId } = options
  const put = (key: Buffer, value: Parameters<typeof encodeJson>[0]): Promise<void> =>
    database.put(key, seal(key, encodeJson(value)))
  const noteKey = stateKey(restoredState.owner, restoredState.key)
  const sealed = database.get(noteKey)
  const value = sealed && unseal(noteKey, sealed)
  // Restored before, and never run since: its streams are still those of the gateway before that.
  const before = value && (decodeJson(value) as Restored)
  const note: Restored = {
    gateway: before?.gateway ?? head.gateway,
    is_clone: isClone || before?.is_clone === true,
    stamp: before?.stamp ?? lastStamp(database),
    backup: head.id,
    created_ms: head.created_ms,
    restored_ms: nowMs,
  }
  await put(noteKey, note)
  await put(stateKey(originState.owner, originState.key), gateway)
  await put(factKey('format'), { number: head.format, epoch: randomId().slice(0, 8) })
}

function lastStamp(database: NewDatabase): number {
  const key = factKey('clock')
  const sealed = database.get(key)
  const value = sealed && unseal(key, sealed)
  return value === undefined ? 0 : new ByteReader(value).double()
}

/** What went by, with a sum of it. */
class Tally {
  readonly #head: BackupHead
  readonly #hash = createHash('sha256')
  #pairs = 0
  #bytes = 0
  #damaged = 0

  constructor([newest]: Chain) {
    this.#head = newest.head
  }

  /** Returns how many bytes there were by now. */
  add(record: BackupRecord): number {
    this.#pairs++
    this.#bytes += record.key.length + lengthOf(record)
    if (record.kind === 'put') {
      this.#hash.update(record.key).update(record.value)
      if (unseal(record.key, record.value) === undefined) this.#damaged++
    }
    return this.#bytes
  }

  sum(): string {
    return this.#hash.copy().digest('hex')
  }

  content(): Content {
    return { head: this.#head, pairs: this.#pairs, bytes: this.#bytes, damaged: this.#damaged }
  }
}
