/**
 * Gets a page of a device on the LAN. The one place from which a gateway speaks HTTP to anybody, and it speaks to the
 * LAN alone: what is said elsewhere, that no HTTP goes out, stays true.
 *
 * Promises: the address is checked after the name was looked up, and that address is the one that is connected to, so a
 * name that means another address a moment later changes nothing; all addresses of a name must be of the LAN. A
 * redirect is not followed. No proxy, no cookies, no credentials. Head and body are bounded, and the whole is timed.
 */
import { lookup } from 'node:dns'
import { type IncomingMessage, request } from 'node:http'
import { isIP, type LookupFunction } from 'node:net'
import { messageOf } from '../../errors.ts'
import { isOfLan } from '../../lan-address.ts'
import type { Time } from '../../replication/time.ts'
import { bodyBytesMax } from '../limits.ts'
import type { Asking } from './poller.ts'

export type HttpPollOptions = {
  /** http://host:port/path; nothing else. */
  readonly url: string
  readonly timeoutMs: number
}

/** As `dns.lookup` with `all`. */
export type Resolve = (
  host: string,
  done: (error: Error | null, addresses: readonly { readonly address: string; readonly family: number }[]) => void,
) => void

const systemResolve: Resolve = (host, done) => lookup(host, { all: true }, done)

export class HttpPoll implements Asking {
  readonly #options: HttpPollOptions
  readonly #time: Pick<Time, 'after'>
  readonly #resolve: Resolve
  #end: (reason: string) => void = () => {}

  constructor(options: HttpPollOptions, time: Pick<Time, 'after'>, resolve: Resolve = systemResolve) {
    this.#options = options
    this.#time = time
    this.#resolve = resolve
  }

  ask(): ReturnType<Asking['ask']> {
    return new Promise((resolve, reject) => {
      const url = new URL(this.#options.url)
      const host = url.hostname.replace(/^\[|\]$/g, '')
      if (isIP(host) !== 0 && !isOfLan(host)) return reject(new Error(outside(host)))
      const asked = request(url, {
        agent: false,
        lookup: lanLookup(this.#resolve),
        headers: { accept: '*/*', 'accept-encoding': 'identity', connection: 'close' },
      })
      const { timeoutMs } = this.#options
      const cancel = this.#time.after(timeoutMs, () => end(`no whole answer within ${timeoutMs / 1_000} s`))
      const end = (reason: string): void => {
        reject(new Error(reason))
        asked.destroy()
      }
      this.#end = end
      asked.on('socket', socket => {
        // What was pinned is what is spoken to: this looks once more.
        socket.on('connect', () => {
          if (!isOfLan(socket.remoteAddress ?? '')) end(outside(socket.remoteAddress ?? 'nowhere'))
        })
      })
      asked.on('error', error => reject(new Error(messageOf(error))))
      asked.on('response', response => {
        const fault = faultOf(response)
        if (fault !== undefined) return end(fault)
        const pieces: Buffer[] = []
        let bytes = 0
        response.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > bodyBytesMax) return end(`the answer has more than ${bodyBytesMax} bytes`)
          pieces.push(piece)
        })
        response.on('error', error => reject(new Error(messageOf(error))))
        response.on('end', () => {
          if (response.complete) resolve({ payload: Buffer.concat(pieces), warnings: [] })
        })
      })
      asked.on('close', () => {
        cancel()
        reject(new Error('the connection was closed before the answer was whole'))
      })
      asked.end()
    })
  }

  close(): void {
    this.#end('closed')
  }
}

function faultOf({ statusCode = 0, headers }: IncomingMessage): string | undefined {
  if (statusCode >= 300 && statusCode < 400) {
    return `the device sends us elsewhere (${statusCode}), and no redirect is followed: write the address that is meant`
  }
  if (statusCode !== 200) return `the device answers with status ${statusCode}`
  const encoding = headers['content-encoding'] ?? 'identity'
  return encoding === 'identity' ? undefined : 'the answer is compressed, though we asked for none'
}

function lanLookup(resolve: Resolve): LookupFunction {
  return (host, options, done) => {
    resolve(host, (error, addresses) => {
      const stranger = addresses?.find(({ address }) => !isOfLan(address))
      const [first] = addresses ?? []
      if (error !== null) return done(error, '', 0)
      if (stranger !== undefined) return done(new Error(outside(stranger.address)), '', 0)
      if (first === undefined) return done(new Error(`no address for the name ${host}`), '', 0)
      if (options.all === true) done(null, [...addresses])
      else done(null, first.address, first.family)
    })
  }
}

const outside = (address: string): string =>
  `${address} is not of the LAN: http-poll asks private, link-local and loopback addresses alone`
