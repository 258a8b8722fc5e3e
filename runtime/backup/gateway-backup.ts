/** The backup of a gateway that runs. */
import { randomUUID } from 'node:crypto'
import { HoldfastError, messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import { formatNumber } from '../store/database.ts'
import type { Store } from '../store/store.ts'
import { backupPieces } from './make.ts'

export function gatewayBackup(store: Store, nowMs: number, log: Log): AsyncGenerator<Buffer> {
  const head = {
    id: randomUUID(),
    gateway: store.origin,
    epoch: store.epoch,
    format: formatNumber,
    created_ms: nowMs,
    base: null,
    about_bytes: store.status().tables.reduce((sum, { bytes }) => sum + bytes, 0),
  }
  return backupPieces(head, store.snapshot(), error => {
    log.warn({ reason: messageOf(error) }, 'a backup could not be finished')
    const known = error instanceof HoldfastError
    const reason = messageOf(known ? error : ((error as { cause?: unknown }).cause ?? error))
    const message = `the database could not be read: ${reason}`
    return {
      code: known ? error.code : 'STORE_FAILED',
      message,
      hint: 'try again; if it stays so, look at it with "holdfast doctor"',
    }
  })
}
