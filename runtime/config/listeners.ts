/**
 * Where the broker listens, as written: `host:port`, or a URL that says what is spoken there. With the certificate of
 * the listeners that speak TLS. Pure.
 */
import { z } from 'zod'
import { listenersMax } from '../limits.ts'
import { type Address, address, filePath, withWords, words } from './values.ts'

export const listenerKinds = ['mqtt', 'mqtts'] as const
export type ListenerKind = (typeof listenerKinds)[number]
export type Listener = Address & { readonly kind: ListenerKind }

const usualPorts: Readonly<Record<ListenerKind, number>> = { mqtt: 1883, mqtts: 8883 }
const how = 'write host:port, mqtt://host:port or mqtts://host:port, such as 127.0.0.1:1883 or mqtts://0.0.0.0:8883'

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
  const plain = address.safeParse(`${place}${port ?? `:${usualPorts[kind]}`}`)
  if (!plain.success) return how
  return rest === '' || rest === '/' ? { kind, ...plain.data } : `${how}, with nothing behind the port`
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
