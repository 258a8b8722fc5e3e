/**
 * All listeners of a broker: opens each for what is spoken there, and hands whoever comes to one door. None is open if
 * one of them cannot be.
 */
import type { Server } from 'node:net'
import { messageOf } from '../errors.ts'
import type { BrokerLimits } from './limits.ts'
import { addressOf, type BrokerTls, certificateNameOf, listen, stopListening } from './listen.ts'
import type { Tally } from './tally.ts'
import type { Address, Caller, Listener, ListenerKind } from './wire.ts'

export type ListenAddress = Address & { readonly kind?: ListenerKind | undefined }

export type Listeners = {
  readonly addresses: readonly Listener[]
  /** Nobody is let in any more. */
  readonly stop: () => void
}

export type ListenerDoors = {
  readonly tls: BrokerTls | undefined
  readonly limits: BrokerLimits
  readonly tally: Tally
  readonly enter: (caller: Caller) => void
}

export async function openListeners(places: readonly ListenAddress[], doors: ListenerDoors): Promise<Listeners> {
  const opened: { readonly server: Server; readonly kind: ListenerKind }[] = []
  const stop = (): void => {
    for (const { server } of opened) stopListening(server)
  }
  try {
    for (const { host, port, kind = 'mqtt' } of places) {
      opened.push({ server: await openListener({ host, port, kind }, doors), kind })
    }
  } catch (error) {
    stop()
    throw error
  }
  return { addresses: opened.map(({ server, kind }) => ({ kind, ...addressOf(server) })), stop }
}

function openListener({ kind, ...address }: Listener, { tls, limits, tally, enter }: ListenerDoors): Promise<Server> {
  if (kind === 'mqtts' && tls === undefined) throw new Error(`${kind} without a certificate`)
  const options = {
    tls: kind === 'mqtts' ? tls : undefined,
    connectionsMax: limits.connectionsMax,
    onTlsError: (error: Error, address: string, name?: string) =>
      tally.warn('refused_tls', 'A client was refused: no TLS with it', { address, name, error: messageOf(error) }),
  }
  return listen(address, options, socket =>
    enter({
      wire: socket,
      kind,
      address: socket.remoteAddress ?? '',
      certificateName: certificateNameOf(socket),
    }),
  )
}
