/**
 * A client's bytes, however they come: over TCP, TLS or WebSocket. Types only. What a connection does with them, the
 * frame guard, back-pressure, the drain timeout, is the same for all.
 */
import type { Duplex } from 'node:stream'

export type ListenerKind = 'mqtt' | 'mqtts' | 'ws' | 'wss'

export type Address = { readonly host: string; readonly port: number }

export type Listener = Address & {
  readonly kind: ListenerKind
  /** Of a WebSocket. */
  readonly path?: string | undefined
}

/**
 * As a socket: it ends for reading when the client has ended its side, and can still be written to; `close` comes once
 * it holds nothing any more.
 */
export type Wire = Duplex & {
  /** Sends what was written, then closes. */
  destroySoon(): void
  /** The client has said who it is. */
  welcomed?(): void
}

/** Who is at the other end. */
export type Caller = {
  readonly wire: Wire
  readonly kind: ListenerKind
  readonly address: string
  /** As what the address is counted (addresses.ts): some addresses count as one. */
  readonly place: string
  /** The name in the certificate that the client has shown, where the listener asks for one. */
  readonly certificateName: string | undefined
}
