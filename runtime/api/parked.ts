/**
 * The endpoints of parked rows, below /api/v1. They are listed as the rows of the table `parked`.
 *
 *   POST parked/retry   tries them again     {"keys": [...]} or {"all": true}
 *   POST parked/drop    forgets them         the same
 *
 * Each answers with what came of each key: {"rows": [{key, outcome, reason}]}.
 */
import type { Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import { HoldfastError } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Json } from '../reading.ts'
import { jsonBody } from './body.ts'
import { bodyTooLarge, faultResponse, jsonResponse } from './faults.ts'
import { bodyBytesMax, parkedKeysMax } from './limits.ts'

export type ParkedOutcome = { readonly key: string; readonly outcome: string; readonly reason: string | undefined }

/** Without keys it is all of them. */
export type ParkedDoor = {
  retry(keys: readonly string[] | undefined): Promise<readonly ParkedOutcome[]>
  drop(keys: readonly string[] | undefined): Promise<readonly ParkedOutcome[]>
}

export type ParkedAnswer = {
  readonly rows: readonly (Omit<ParkedOutcome, 'reason'> & { readonly reason: string | null })[]
}

export function parkedRoutes(app: Hono, base: string, parked: ParkedDoor, log: Log): void {
  const limited = bodyLimit({ maxSize: bodyBytesMax, onError: () => faultResponse(bodyTooLarge(), log) })
  for (const verb of ['retry', 'drop'] as const) {
    app.post(`${base}/parked/${verb}`, limited, async c => {
      const keys = keysOf(jsonBody(c.req.header('content-type'), await c.req.text()))
      const rows = await parked[verb](keys)
      const answer: ParkedAnswer = { rows: rows.map(row => ({ ...row, reason: row.reason ?? null })) }
      return jsonResponse(answer)
    })
  }
}

/** Either names keys or says that it means all: an empty body must not drop everything. */
function keysOf(body: Json): readonly string[] | undefined {
  const { keys, all } = (typeof body === 'object' && body !== null ? body : {}) as Record<string, unknown>
  if (all === true && keys === undefined) return undefined
  const isList = Array.isArray(keys) && keys.length > 0 && keys.every(key => typeof key === 'string' && key !== '')
  if (isList && keys.length <= parkedKeysMax) return keys as readonly string[]
  const hint = `send {"keys": [...]} with 1 to ${parkedKeysMax} keys, or {"all": true}`
  throw new HoldfastError('BAD_ARGUMENT', 'the body does not say which parked rows are meant', hint)
}
