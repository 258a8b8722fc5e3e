/** A real store behind a real control surface on a real socket, and a caller that may misbehave. */
import { mkdtempSync, rmSync } from 'node:fs'
import { type ClientRequest, type IncomingMessage, request } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ApiOptions, openApi } from '../../runtime/api/api.ts'
import { silentLog } from '../../runtime/log.ts'
import type { Json } from '../../runtime/reading.ts'
import type { Store } from '../../runtime/store/store.ts'
import type { Arrival } from '../../runtime/store/types.ts'
import { diskPlace, specs } from '../store/homes.ts'

export const nowMs = Date.UTC(2024, 0, 2, 12)

export type Surface = {
  readonly store: Store
  readonly socket: string
  call(method: string, path: string, body?: string, headers?: Record<string, string>): Promise<Answer>
  /** Begins a request and leaves its answer to be read. */
  open(path: string): Promise<{ readonly request: ClientRequest; readonly response: IncomingMessage }>
  close(): Promise<void>
  remove(): Promise<void>
}
export type Answer = {
  readonly status: number
  readonly text: string
  readonly json: Json
  readonly lines: readonly Json[]
}

export async function openSurface(
  options: Partial<ApiOptions> = {},
  tables = specs,
  parkedOf: (store: Store) => ApiOptions['parked'] = () => undefined,
): Promise<Surface> {
  const folder = mkdtempSync(join(tmpdir(), 'holdfast-api-'))
  const place = diskPlace()
  const store = await place.open({ tables })
  const parked = parkedOf(store)
  const socket = join(folder, 'holdfast.sock')
  const api = await openApi({
    socket,
    store,
    status: () => ({ gateway: { id: 'gw-1' } }),
    now: () => nowMs,
    log: silentLog,
    ...(parked && { parked }),
    ...options,
  })
  const close = async (): Promise<void> => {
    await api.close()
    await store.close()
  }
  return {
    store,
    socket,
    call: (method, path, body, headers) => call(socket, method, path, body, headers),
    open: path => open(socket, path),
    close,
    remove: async () => {
      await close()
      place.remove()
      rmSync(folder, { recursive: true, force: true })
    },
  }
}

export const reading = (device: string, value: number, deviceTimeMs: number): Arrival =>
  arrival(device, value, nowMs, deviceTimeMs)

export function arrival(device: string, value: number | string, arrivalMs: number, deviceTimeMs?: number): Arrival {
  return {
    device,
    metric: 'temperature',
    value,
    deviceTimeMs,
    id: undefined,
    unit: '°C',
    arrivalMs,
    joined: false,
  }
}

async function call(
  socketPath: string,
  method: string,
  path: string,
  body?: string,
  headers: Record<string, string> = body === undefined ? {} : { 'content-type': 'application/json' },
): Promise<Answer> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath, method, path, headers, agent: false }, resolve)
    sent.on('error', reject)
    sent.end(body)
  })
  const text = Buffer.concat(await response.toArray()).toString()
  // Metrics are no JSON.
  const values = (text.startsWith('#') ? '' : text)
    .split('\n')
    .filter(line => line !== '')
    .map(line => JSON.parse(line) as Json)
  return { status: response.statusCode ?? 0, text, json: values[0] ?? null, lines: values }
}

function open(socketPath: string, path: string): Promise<{ request: ClientRequest; response: IncomingMessage }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, agent: false }, response => resolve({ request: sent, response }))
    sent.on('error', reject)
    sent.end()
  })
}

/** The JSON lines of a stream as they come. */
export async function* linesOf(response: IncomingMessage): AsyncGenerator<Record<string, Json>> {
  let rest = ''
  response.setEncoding('utf8')
  for await (const chunk of response) {
    const lines = (rest + String(chunk)).split('\n')
    rest = lines.pop() ?? ''
    for (const line of lines) if (line !== '') yield JSON.parse(line) as Record<string, Json>
  }
}
