/**
 * A series as it stands on disk: who measured what, and its latest reading.
 *
 *   text origin, text device, text metric, double latest time, byte has unit, [text unit],
 *   [varint position of the latest reading, bytes of a chunk that holds it]
 *
 * In format 1: text origin, text device, text metric, double latest time, [text unit].
 */
import { ByteReader, ByteWriter } from './bytes.ts'
import { encodeChunk, openChunk } from './chunk.ts'
import { KnownSeries } from './table.ts'
import { asSeq } from './types.ts'

export function encodeSeries(series: KnownSeries): Buffer {
  const out = new ByteWriter(128)
  out.text(series.origin)
  out.text(series.device)
  out.text(series.metric)
  out.double(series.newestMs)
  out.byte(series.unit === undefined ? 0 : 1)
  if (series.unit !== undefined) out.text(series.unit)
  if (series.latest !== undefined) {
    out.varint(series.latest.seq)
    out.bytes(encodeChunk([series.latest]))
  }
  return out.take()
}

/** Throws `RangeError` if it is not whole. */
export function decodeSeries(id: number, table: string, bytes: Buffer): KnownSeries {
  const read = new ByteReader(bytes)
  const [origin, device, metric, newestMs] = [read.text(), read.text(), read.text(), read.double()]
  const unit = read.byte() === 1 ? read.text() : undefined
  const series = new KnownSeries(id, table, origin, device, metric, unit, newestMs)
  if (read.done) return series
  const seq = asSeq(read.varint())
  series.latest = openChunk(read.bytes(), seq, series).entries()[0]
  return series
}

/** As format 1 wrote it. */
export function decodeSeriesOfFormat1(id: number, table: string, bytes: Buffer): KnownSeries {
  const read = new ByteReader(bytes)
  const [origin, device, metric, newestMs] = [read.text(), read.text(), read.text(), read.double()]
  return new KnownSeries(id, table, origin, device, metric, read.done ? undefined : read.text(), newestMs)
}
