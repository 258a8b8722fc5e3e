/**
 * Readings and rows that a caller sends, under /api/v1/tables/T:
 *
 *   POST   readings, rows     application/x-ndjson: an object a line, as many as there are; application/json: one or a list
 *
 * Promises: the answer `{lines, stored, duplicates}` comes once all of it is on disk [I1]; a caller that sends faster than
 * the disk writes is held up by its socket; so many at once, and one more is refused. JSON is taken whole or not at all; of
 * lines, those before one that is wrong are stored, and the error names that line.
 */
import type { IncomingMessage } from 'node:http'
import type { Hono } from 'hono'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { TableKind, TableSpec } from '../store/types.ts'
import { type IntakeDoors, type Taken, takeLines, takeList } from '../transfer/intake.ts'
import { intakesMax } from '../transfer/limits.ts'
import { isLines, jsonBody } from './body.ts'
import { bodyTooLarge, jsonResponse } from './faults.ts'
import { bodyBytesMax } from './limits.ts'

export type IntakeOptions = IntakeDoors & {
  readonly log: Log
  readonly tableOf: (name: string, kind: TableKind) => TableSpec
}

export function intakeRoutes(app: Hono, base: string, options: IntakeOptions): void {
  let open = 0
  const take = async (spec: TableSpec, type: string | undefined, incoming: IncomingMessage): Promise<Taken> => {
    if (open >= intakesMax) {
      throw new HoldfastError('API_BUSY', `${intakesMax} callers are sending already`, 'wait until one of them is done')
    }
    open++
    try {
      // It must not be torn down with the loop: the answer goes back the same way.
      const chunks = incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>
      if (isLines(type)) return await takeLines(spec, chunks, options)
      return await takeList(spec, jsonBody(type, await wholeText(chunks)), options)
    } finally {
      open--
    }
  }
  for (const [step, kind] of [
    ['readings', 'series'],
    ['rows', 'records'],
  ] as const) {
    app.post(`${base}/tables/:table/${step}`, async c => {
      const spec = options.tableOf(c.req.param('table'), kind)
      const { incoming } = c.env as { incoming: IncomingMessage }
      return jsonResponse(await take(spec, c.req.header('content-type'), incoming))
    })
  }
}

async function wholeText(chunks: AsyncIterable<Buffer>): Promise<string> {
  const kept: Buffer[] = []
  let bytes = 0
  for await (const chunk of chunks) {
    bytes += chunk.length
    if (bytes > bodyBytesMax) throw bodyTooLarge('send more as lines: content-type: application/x-ndjson')
    kept.push(chunk)
  }
  return Buffer.concat(kept).toString()
}
