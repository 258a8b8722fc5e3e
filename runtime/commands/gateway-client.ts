/**
 * A caller of the control surface. Only a gateway may open its database, so every command that wants something of it asks
 * here, over its Unix socket.
 *
 * Promises: what the gateway refuses comes back as the error that it told; what cannot be reached is one sentence.
 */
import { type IncomingHttpHeaders, type IncomingMessage, request } from 'node:http'
import { createInterface } from 'node:readline'
import { HoldfastError, type ErrorCode, messageOf, systemCode } from '../errors.ts'
import type { Json } from '../reading.ts'

export type Query = Readonly<Record<string, string | undefined>>

export type GatewayClient = {
  get<Form>(path: string, query?: Query): Promise<Form>
  /** An answer that is not JSON. */
  text(path: string): Promise<string>
  /** JSON lines as they come; `heard` is told the headers before the first. */
  lines<Form>(path: string, query?: Query, heard?: (headers: IncomingHttpHeaders) => void): AsyncGenerator<Form>
  /** The bytes of a list as they come. What goes wrong in the middle throws, and was not part of the list. */
  bytes(path: string, query?: Query): AsyncGenerator<Uint8Array>
  put<Form>(path: string, value: Json): Promise<Form>
  post<Form>(path: string, value: Json): Promise<Form>
  /** Sends JSON lines. */
  postLines<Form>(path: string, lines: string): Promise<Form>
  remove<Form>(path: string): Promise<Form>
}

/** Answers that are read whole: a status with hundreds of streams stays far below. */
const answerBytesMax = 16 * 1024 * 1024

export function gatewayClient(socket: string): GatewayClient {
  const whole = async <Form>(method: string, path: string, body?: string, type?: string): Promise<Form> => {
    const response = await send(socket, method, path, body, type)
    const text = await readWhole(socket, response)
    return parse(socket, text) as Form
  }
  return {
    text: async path => readWhole(socket, await send(socket, 'GET', path)),
    get: (path, query) => whole('GET', withQuery(path, query)),
    put: (path, value) => whole('PUT', path, JSON.stringify(value)),
    post: (path, value) => whole('POST', path, JSON.stringify(value)),
    postLines: (path, lines) => whole('POST', path, lines, 'application/x-ndjson'),
    remove: path => whole('DELETE', path),
    async *bytes(path, query) {
      const response = await send(socket, 'GET', withQuery(path, query))
      try {
        yield* readBytes(socket, response)
      } finally {
        response.destroy()
      }
    },
    async *lines<Form>(
      path: string,
      query?: Query,
      heard?: (headers: IncomingHttpHeaders) => void,
    ): AsyncGenerator<Form> {
      const response = await send(socket, 'GET', withQuery(path, query))
      heard?.(response.headers)
      try {
        for await (const line of readLines(socket, response)) {
          if (line === '') continue
          const value = parse(socket, line)
          if (isLastWords(value)) throw faultOf(socket, value.error)
          yield value as Form
        }
      } finally {
        // Whoever has read enough gives the reader's place at the gateway back.
        response.destroy()
      }
    },
  }
}

/** The path of a table, or of something in it; names are encoded, never joined. */
export function tablePath(table: string, ...steps: readonly string[]): string {
  return `/tables/${[table, ...steps].map(encodeStep).join('/')}`
}

function encodeStep(step: string): string {
  // Every reader of addresses takes these for "here" and "up", encoded or not.
  if (/^\.\.?$/.test(step)) throw new HoldfastError('BAD_ARGUMENT', `"${step}" cannot be a name or key`)
  return encodeURIComponent(step)
}

function withQuery(path: string, query: Query = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return given.length === 0 ? path : `${path}?${new URLSearchParams(given).toString()}`
}

/** The answer, once its status says that it is one. */
async function send(
  socketPath: string,
  method: string,
  path: string,
  body?: string,
  type = 'application/json',
): Promise<IncomingMessage> {
  const headers = body === undefined ? {} : { 'content-type': type, 'content-length': Buffer.byteLength(body) }
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    const sent = request({ socketPath, method, path: `/api/v1${path}`, headers, agent: false }, resolve)
    sent.on('error', error => reject(unreachable(socketPath, error)))
    sent.end(body)
  })
  if (response.statusCode === 200) return response
  throw faultOf(socketPath, parse(socketPath, await readWhole(socketPath, response)))
}

async function readWhole(socket: string, response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  let bytes = 0
  try {
    for await (const chunk of response) {
      chunks.push(chunk as Buffer)
      bytes += (chunk as Buffer).length
      if (bytes > answerBytesMax) throw notAGateway(socket)
    }
  } catch (error) {
    throw error instanceof HoldfastError ? error : lost(socket, error)
  }
  return Buffer.concat(chunks).toString()
}

/** Whole lines where they are JSON lines, because the last of them may be an error. */
async function* readBytes(socket: string, response: IncomingMessage): AsyncGenerator<Uint8Array> {
  const isLines = response.headers['content-type'] === 'application/x-ndjson'
  let rest: Buffer = Buffer.alloc(0)
  try {
    for await (const chunk of response) {
      if (!isLines) {
        yield chunk as Buffer
        continue
      }
      const bytes = Buffer.concat([rest, chunk as Buffer])
      const end = bytes.lastIndexOf('\n') + 1
      rest = bytes.subarray(end)
      const whole = bytes.subarray(0, end)
      const words = lastWordsIn(whole)
      if (words < whole.length) throw faultOf(socket, faultIn(parse(socket, whole.subarray(words).toString())))
      if (whole.length > 0) yield whole
    }
  } catch (error) {
    throw error instanceof HoldfastError ? error : lost(socket, error)
  }
  if (!response.complete) throw lost(socket, undefined)
}

/** Where an error begins that ends a list; the length of the bytes if none does. Items never begin so. */
function lastWordsIn(bytes: Buffer): number {
  const begin = '{"error":'
  if (bytes.subarray(0, begin.length).toString('latin1') === begin) return 0
  const found = bytes.lastIndexOf(`\n${begin}`)
  return found < 0 ? bytes.length : found + 1
}

const faultIn = (value: unknown): unknown => (isLastWords(value) ? value.error : value)

async function* readLines(socket: string, response: IncomingMessage): AsyncGenerator<string> {
  let failure: Error | undefined
  // `readline` ends quietly when its input breaks off.
  response.on('error', error => (failure = error))
  try {
    yield* createInterface({ input: response, crlfDelay: Number.POSITIVE_INFINITY })
  } catch (error) {
    throw lost(socket, error)
  }
  if (failure !== undefined || !response.complete) throw lost(socket, failure)
}

function parse(socket: string, text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (error) {
    throw notAGateway(socket, error)
  }
}

type Fault = { readonly code: string; readonly message: string; readonly hint: string }

const isFault = (value: unknown): value is Fault =>
  typeof value === 'object' &&
  value !== null &&
  ['code', 'message', 'hint'].every(key => typeof (value as Record<string, unknown>)[key] === 'string')

const isLastWords = (value: unknown): value is { readonly error: unknown } =>
  typeof value === 'object' && value !== null && 'error' in value && isFault(value.error)

function faultOf(socket: string, value: unknown): HoldfastError {
  return isFault(value) ? new HoldfastError(value.code as ErrorCode, value.message, value.hint) : notAGateway(socket)
}

function unreachable(socket: string, error: unknown): HoldfastError {
  switch (systemCode(error)) {
    case 'ENOENT':
    case 'ENOTDIR':
    case 'ECONNREFUSED':
    case 'ENOTSOCK':
      return new HoldfastError(
        'GATEWAY_NOT_RUNNING',
        `no gateway answers on ${socket}`,
        'start one with "holdfast run", or name the socket of one with --socket',
        error,
      )
    case 'EACCES':
    case 'EPERM':
      return new HoldfastError(
        'SOCKET_FORBIDDEN',
        `this user may not use ${socket}`,
        'run the command as the user that the gateway runs as',
        error,
      )
    case 'ECONNRESET':
    case 'EPIPE':
      return lost(socket, error)
    default:
      return new HoldfastError(
        'NOT_A_GATEWAY',
        `${socket} does not answer: ${messageOf(error)}`,
        'name its socket with --socket',
        error,
      )
  }
}

const lost = (socket: string, error: unknown): HoldfastError =>
  new HoldfastError('GATEWAY_LOST', `the gateway on ${socket} is gone in the middle of its answer`, 'ask again', error)

const notAGateway = (socket: string, error?: unknown): HoldfastError =>
  new HoldfastError('NOT_A_GATEWAY', `what answers on ${socket} is no gateway`, 'name its socket with --socket', error)
