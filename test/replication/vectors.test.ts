/** The test vectors of docs/replication.md: what somebody who writes another end would check theirs with. */
import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { describe, it } from 'node:test'
import { encodeMessage } from '../../runtime/replication/wire/codec.ts'
import type { Decoded } from '../../runtime/replication/wire/codec.ts'
import type {
  FrameHead,
  FrameReading,
  FrameRecord,
  FrameRow,
  SentEntry,
} from '../../runtime/replication/wire/frames.ts'
import {
  decodeAgain,
  decodeAsk,
  decodeDownHello,
  decodePosition,
  decodeRefused,
  decodeUpHello,
} from '../../runtime/replication/wire/messages.ts'
import { decodePayload, encodePayload } from '../../runtime/replication/wire/payload.ts'
import type { Series, TableKind } from '../../runtime/store/types.ts'
import { readingEntry, recordEntry } from './entries.ts'

type MessageVector = { what: string; message: keyof typeof decoders; hex: string; means: object }
type FrameVector = {
  what: string
  kind: TableKind
  forms: string[]
  compressions: string[]
  /** Compressed bytes differ from one compressor to the next: these are for readers. */
  decodeOnly?: true
  hex: string
  means: FrameHead & { rows: FrameRow[] }
}
type RefusedVector = { what: string; kind: TableKind; refused: string; hex: string }

const decoders = {
  'up/hello': decodeUpHello,
  'down/hello': decodeDownHello,
  position: decodePosition,
  ask: decodeAsk,
  'down/again': decodeAgain,
  'down/refused': decodeRefused,
} satisfies Record<string, (bytes: Uint8Array) => Decoded<unknown>>

const read = <T>(name: string): T[] =>
  JSON.parse(readFileSync(new URL(`../../../test/replication/vectors/${name}.json`, import.meta.url), 'utf8')) as T[]

/** Everything that a vector tells; a later version may tell more. */
function assertTells(got: unknown, means: object): void {
  const plain = JSON.parse(JSON.stringify(got)) as Record<string, unknown>
  for (const [key, value] of Object.entries(means)) assert.deepEqual(plain[key], value, key)
}

function sentOf(kind: TableKind, rows: readonly FrameRow[]): SentEntry[] {
  const known = new Map<string, Series>()
  return rows.map(row => {
    if (kind === 'records') {
      const { seq, key, stamp, origin, joined, value } = row as FrameRecord
      return { joined, entry: recordEntry(seq, { key, stamp, origin, value }) }
    }
    const { seq, stamp, origin, device, metric, unit, value, arrivalMs, joined, ...more } = row as FrameReading
    const name = JSON.stringify([origin, device, metric, unit])
    const series = known.get(name) ?? { id: 1, table: 'readings', origin, device, metric, unit }
    known.set(name, series)
    return { joined, entry: readingEntry(seq, { stamp, series, value, arrivalMs, ...more }) }
  })
}

describe('the test vectors', () => {
  for (const { what, message, hex, means } of read<MessageVector>('messages')) {
    it(`of ${message}, ${what}, are read and written so`, () => {
      const decoded = decoders[message](Buffer.from(hex, 'hex'))
      assert.ok(decoded.ok, JSON.stringify(decoded))
      assertTells(decoded.value, means)
      assert.equal(encodeMessage(means).toString('hex'), hex)
    })
  }

  for (const { what, kind, forms, compressions, decodeOnly, hex, means } of read<FrameVector>('frames')) {
    it(`of entries, ${what}, are read${decodeOnly ? '' : ' and written'} so`, () => {
      const decoded = decodePayload(Buffer.from(hex, 'hex'), kind)
      assert.ok(decoded.ok, JSON.stringify(decoded))
      assertTells(decoded.value, means)
      const encoded = encodePayload(kind, means, sentOf(kind, means.rows), { forms, compressions })
      if (decodeOnly) assertTells((decodePayload(encoded, kind) as { value: unknown }).value, means)
      else assert.equal(encoded.toString('hex'), hex)
    })
  }

  for (const { what, kind, refused, hex } of read<RefusedVector>('refused')) {
    it(`of what is refused, ${what}, are refused by that name`, () => {
      const decoded = decodePayload(Buffer.from(hex, 'hex'), kind)
      assert.ok(!decoded.ok)
      assert.equal(decoded.refused, refused)
    })
  }
})
