/**
 * The control surface: HTTP on a Unix socket, for the commands and for scripts on the same machine [I11].
 *
 * Promises: requests are bounded in bytes and time before they are parsed; a reader that is slow or gone costs nothing but
 * its place; an error is `{code, message, hint}`. It must never listen on a network address.
 */
import type { Server } from 'node:http'
import { createAdaptorServer } from '@hono/node-server'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import type { AlertsDoor } from './alerts.ts'
import { type BackupSource, Backups } from './backup.ts'
import {
  backupStuckMs,
  closeGraceMs,
  connectionsMax,
  headerBytesMax,
  headersMs,
  keepaliveMs,
  readersMax,
  requestMs,
} from './limits.ts'
import { holdToDeadlines } from './deadlines.ts'
import type { DevicesDoor } from './devices.ts'
import type { ParkedDoor } from './parked.ts'
import { Readers } from './readers.ts'
import { apiRoutes } from './routes.ts'
import type { WhereDoor } from './questions.ts'
import type { RulesDoor } from './rules.ts'
import { listenOnSocket } from './socket.ts'
import type { GatewayStatus } from './status.ts'

export type ApiOptions = {
  /** Path of the socket; its folder exists. */
  readonly socket: string
  readonly store: Store
  /** A `GatewayStatus` (status.ts). */
  readonly status: () => object | Promise<object>
  /** What metrics are read from; without it there is no such endpoint. */
  readonly metrics?: () => GatewayStatus
  /** What POST /api/v1/reload does; it answers with what this gives. */
  readonly reload?: () => object | Promise<object>
  /** What is done about parked rows; without it there are no such endpoints. */
  readonly parked?: ParkedDoor
  /** Alerts and silences; without it there are no such endpoints. */
  readonly alerts?: AlertsDoor
  /** The rules in force; without it there are no such endpoints. */
  readonly rules?: RulesDoor
  /** Which devices there are; without it there is no such endpoint. */
  readonly devices?: DevicesDoor
  /** The language of `where`; without it that parameter is refused. */
  readonly where?: WhereDoor
  /** Makes the pieces of a backup; without it there is no such endpoint. */
  readonly backup?: BackupSource
  readonly now: () => number
  /** Names the boot while its clock is not trusted; without it, it is. */
  readonly boot?: () => string | undefined
  readonly log: Log
  /** Tests that would wait for minutes shorten these. */
  readonly times?: Partial<Record<'headersMs' | 'requestMs' | 'keepaliveMs' | 'closeGraceMs', number>>
}

export type Api = { readonly socket: string; close(): Promise<void> }

/** Resolves once it answers. Throws ADDRESS_IN_USE or ADDRESS_UNAVAILABLE. */
export async function openApi(options: ApiOptions): Promise<Api> {
  const times = { headersMs, requestMs, keepaliveMs, closeGraceMs, ...options.times }
  const readers = new Readers({ readersMax, keepaliveMs: times.keepaliveMs, log: options.log })
  const backups = options.backup && new Backups(options.backup, backupStuckMs)
  const routes = apiRoutes({
    ...options,
    metrics: options.metrics,
    reload: options.reload,
    parked: options.parked,
    alerts: options.alerts,
    rules: options.rules,
    devices: options.devices,
    where: options.where,
    backups,
    boot: options.boot ?? (() => undefined),
    readers,
  })
  const server = createAdaptorServer({
    fetch: (request, env) => routes.fetch(request, env),
    overrideGlobalObjects: false,
    serverOptions: {
      maxHeaderSize: headerBytesMax,
      headersTimeout: times.headersMs,
      // deadlines.ts instead: lines may go on for as long as they come.
      requestTimeout: 0,
      connectionsCheckingInterval: Math.min(1_000, times.headersMs),
    },
  }) as Server
  holdToDeadlines(server, times.requestMs)
  server.maxConnections = connectionsMax
  await listenOnSocket(server, options.socket)
  server.on('error', error => options.log.error({ reason: error.message }, 'the control surface failed'))

  async function close(): Promise<void> {
    readers.close()
    await backups?.close()
    const closed = new Promise<void>(resolve => server.close(() => resolve()))
    server.closeIdleConnections()
    const hurry = setTimeout(() => server.closeAllConnections(), times.closeGraceMs)
    await closed
    clearTimeout(hurry)
  }
  return { socket: options.socket, close }
}
