/** What is imported: a file, which can be read twice, or standard input or a pipe, which can be read once. */
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { HoldfastError, unreadableWords } from '../../errors.ts'
import type { ImportFormat } from './item-reader.ts'

export type Source = {
  readonly name: string
  /** Undefined where it can be read only once. */
  readonly sizeBytes: number | undefined
  /** Throws FILE_UNREADABLE. */
  chunks(): AsyncIterable<Buffer>
}

const pieceBytes = 256 * 1024

/** Throws FILE_UNREADABLE. */
export async function openSource(path: string): Promise<Source> {
  if (path === '-') return { name: 'standard input', sizeBytes: undefined, chunks: () => process.stdin }
  try {
    const found = await stat(path)
    if (found.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' })
    return {
      name: path,
      sizeBytes: found.isFile() ? found.size : undefined,
      chunks: () => readable(path),
    }
  } catch (error) {
    throw unreadable(path, error)
  }
}

async function* readable(path: string): AsyncGenerator<Buffer> {
  try {
    for await (const chunk of createReadStream(path, { highWaterMark: pieceBytes })) yield chunk as Buffer
  } catch (error) {
    throw unreadable(path, error)
  }
}

/** The format that bytes begin like, and the same bytes again. Throws BAD_LINES for what is neither. */
export async function sniffed(
  chunks: AsyncIterable<Buffer>,
): Promise<{ readonly format: ImportFormat; readonly chunks: AsyncIterable<Buffer> }> {
  const iterator = chunks[Symbol.asyncIterator]()
  const first = await iterator.next()
  const bytes = first.done ? Buffer.alloc(0) : first.value
  const again = async function* (): AsyncGenerator<Buffer> {
    if (!first.done) yield first.value
    yield* { [Symbol.asyncIterator]: () => iterator }
  }
  return { format: formatOf(bytes), chunks: again() }
}

function formatOf(bytes: Buffer): ImportFormat {
  if (bytes[0] === 0x1f && bytes[1] === 0x8b) {
    throw new HoldfastError(
      'BAD_LINES',
      'it is compressed with gzip',
      'unpack it on the way: zcat FILE | holdfast import TABLE -',
    )
  }
  if (bytes.subarray(0, 2).includes(0)) {
    throw new HoldfastError('BAD_LINES', 'it is no text in UTF-8', 'save it as UTF-8')
  }
  const [begin] = bytes
    .subarray(0, 1024)
    .toString()
    .replace(/^\ufeff/, '')
    .trimStart()
  if (begin === '[') {
    throw new HoldfastError(
      'BAD_LINES',
      'it is one JSON array',
      "make lines of it: jq -c '.[]' FILE | holdfast import TABLE -",
    )
  }
  return begin === '{' ? 'ndjson' : 'csv'
}

function unreadable(path: string, error: unknown): HoldfastError {
  if (error instanceof HoldfastError) return error
  return new HoldfastError('FILE_UNREADABLE', `${path}: ${unreadableWords(error)}`, '', error)
}
