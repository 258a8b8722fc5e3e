/**
 * Where the broker listens, as written: `host:port`, or a URL that says what is spoken there. With the certificate of
 * the listeners that speak TLS. Pure.
 */
import { z } from 'zod'
import { listenersMax } from '../limits.ts'
import { type Address, address, durationMs, filePath, withWords, words } from './values.ts'

export const listenerKinds = ['mqtt', 'mqtts', 'ws', 'wss'] as const
export type ListenerKind = (typeof listenerKinds)[number]
export type Listener = Address & {
  readonly kind: ListenerKind
  /** Of a WebSocket; left out, those that clients ask for if nobody tells them. */
  readonly path?: string
}

/** A WebSocket has none: 80 and 443 are those of pages. */
const usualPorts: Readonly<Record<ListenerKind, string>> = { mqtt: ':1883', mqtts: ':8883', ws: '', wss: '' }
const how =
  'write host:port, mqtt://host:port, mqtts://host:port, ws://host:port/path or wss://host:port/path, such as 127.0.0.1:1883'

/** Where devices connect if nobody has said it; on every network once it is known who may come. */
export const usualListener: Listener = { kind: 'mqtt', host: '127.0.0.1', port: 1883 }

/** Where to listen and what is spoken there, or why it cannot be read. */
function listenerOf(text: string): Listener | string {
  const match = /^([a-z]+):\/\/(.*)$/i.exec(text)
  if (match === null) {
    const plain = address.safeParse(text)
    return plain.success ? { kind: 'mqtt', ...plain.data } : how
  }
  const kind = listenerKinds.find(name => name === match[1]?.toLowerCase())
  const [, place, port, rest = ''] = /^(\[[^\]/]*\]|[^:/?#]*)(:\d+)?(.*)$/.exec(match[2] ?? '') ?? []
  if (kind === undefined || place === undefined) return how
  if (place.includes('@') || rest.includes('@')) return 'leave user and password out of the address'
  const plain = address.safeParse(`${place}${port ?? usualPorts[kind]}`)
  if (!plain.success) return how
  if (rest !== '' && (kind === 'ws' || kind === 'wss')) {
    const isPath = /^\/[!-~]{0,255}$/.test(rest) && !/[?#]/.test(rest)
    return isPath ? { kind, ...plain.data, path: rest } : 'the path of a WebSocket has neither ? nor # nor blanks'
  }
  return rest === '' || rest === '/' ? { kind, ...plain.data } : `${how}: nothing stands behind the port of mqtt`
}

export const brokerListeners = z
  .union([z.string(), z.array(z.string()).min(1, 'name at least one address').max(listenersMax)], {
    error: `${how}, or a list of them`,
  })
  .transform((given, context): Listener[] => {
    const places = (Array.isArray(given) ? given : [given]).map(listenerOf)
    return places.flatMap((place, index) => {
      if (typeof place !== 'string') return [place]
      context.addIssue({ code: 'custom', message: place, path: Array.isArray(given) ? [index] : [] })
      return []
    })
  })
words.add(brokerListeners, { type: 'host:port or URL, or a list of them' })

export const brokerTls = z.strictObject({
  cert: filePath.describe('The certificate that the listeners show.'),
  key: filePath.describe('The key of the certificate.'),
  ca: filePath.optional().describe('Who vouches for clients that show a certificate of their own.'),
  client_certificates: withWords(z.enum(['none', 'optional', 'required']).optional(), {
    fallback: 'required with ca, none without',
  }).describe(
    'Whether clients must show a certificate of an authority in ca; its common name is then the name of the client. optional: those without one give a user and a password.',
  ),
})

const origin = z
  .string()
  .refine(
    text => text === '*' || (URL.canParse(text) && new URL(text).origin === text),
    'write an origin as browsers do, such as https://panel.lan or http://10.0.0.5:8080, or * for every page',
  )
words.add(origin, { type: 'origin' })

export const websocketOrigins = withWords(z.array(origin).max(listenersMax).default([]), {
  fallback: 'none',
  type: 'list of origins',
}).describe(
  'Pages whose scripts may connect over WebSocket, as browsers name them: https://panel.lan; * is every page. Pages from this very address always may, and so may whoever is no browser.',
)

export const systemInterval = withWords(
  durationMs({ min: 0, max: 3_600_000, fallback: '10s' }).refine(
    ms => ms === 0 || ms >= 1_000,
    'must be at least 1s, or 0 for no such topics',
  ),
  { type: 'duration, 1s to 1h, or 0 for never', fallback: '10s' },
).describe('How often the broker tells of itself below $SYS, by the names that mosquitto uses.')
