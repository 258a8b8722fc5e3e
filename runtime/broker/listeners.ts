/**
 * All listeners of a broker: opens each for what is spoken there, and hands whoever comes to one door. None is open if
 * one of them cannot be.
 */
import type { Server, Socket } from 'node:net'
import { messageOf } from '../errors.ts'
import type { BrokerLimits } from './limits.ts'
import { addressKey } from './addresses.ts'
import { addressOf, type BrokerTls, certificateNameOf, listen, stopListening } from './listen.ts'
import type { Tally } from './tally.ts'
import { WebSocketDoor } from './websocket.ts'
import type { Address, Caller, Listener, ListenerKind, Wire } from './wire.ts'

export type ListenAddress = Address & { readonly kind?: ListenerKind | undefined; readonly path?: string | undefined }

export type Listeners = {
  readonly addresses: readonly Listener[]
  /** Nobody is let in any more. */
  readonly stop: () => void
}

export type ListenerDoors = {
  readonly tls: BrokerTls | undefined
  /** Pages that may connect over WebSocket, besides our own. */
  readonly origins: readonly string[]
  readonly limits: BrokerLimits
  readonly tally: Tally
  readonly enter: (caller: Caller) => void
}

export async function openListeners(places: readonly ListenAddress[], doors: ListenerDoors): Promise<Listeners> {
  const opened: { readonly server: Server; readonly kind: ListenerKind; readonly path: string | undefined }[] = []
  const stop = (): void => {
    for (const { server } of opened) stopListening(server)
  }
  try {
    for (const { host, port, kind = 'mqtt', path } of places) {
      opened.push({ server: await openListener({ host, port, kind, path }, doors), kind, path })
    }
  } catch (error) {
    stop()
    throw error
  }
  return { addresses: opened.map(({ server, kind, path }) => ({ kind, ...addressOf(server), path })), stop }
}

function openListener({ kind, path, ...address }: Listener, doors: ListenerDoors): Promise<Server> {
  const { tls, origins, limits, tally, enter } = doors
  const isSecure = kind === 'mqtts' || kind === 'wss'
  if (isSecure && tls === undefined) throw new Error(`${kind} without a certificate`)
  const options = {
    tls: isSecure ? tls : undefined,
    connectionsMax: limits.connectionsMax,
    onTlsError: (error: Error, address: string, name?: string) =>
      tally.warn('refused_tls', 'A client was refused: no TLS with it', { address, name, error: messageOf(error) }),
  }
  const welcome = (wire: Wire, socket: Socket): void => {
    const { remoteAddress: address = '', localAddress } = socket
    enter({ wire, kind, address, place: addressKey(address, localAddress), certificateName: certificateNameOf(socket) })
  }
  if (kind === 'mqtt' || kind === 'mqtts') return listen(address, options, socket => welcome(socket, socket))
  const door = new WebSocketDoor({ path, origins }, { limits, tally, enter: welcome })
  return listen(address, options, socket => door.enter(socket))
}
