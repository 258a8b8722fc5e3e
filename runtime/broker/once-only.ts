/**
 * A QoS 2 publish is accepted once until its PUBREL, however often it is sent [MQTT-4.3.3-2]: aedes asks before it looks.
 * One that comes again while the first is still on its way waits for it, over a new connection of the session too.
 */
import type { Hall } from './engine.ts'
import type { Publish } from './publish.ts'
import type { Sessions } from './sessions.ts'

type Settle = (error?: Error) => void
type ClientOf = { readonly id: string; readonly clean: boolean }

/** Returns what a publish has to wait for; undefined if it was accepted before. */
export function onceOnly(hall: Pick<Hall, 'acceptKept'>, sessions: Pick<Sessions, 'hasIncoming' | 'find'>) {
  const onTheirWay = new Map<string, Settle[]>()
  // The packet ids of a clean session end with its connection, so they are told apart by it.
  const serials = new WeakMap<ClientOf, number>()
  let lastSerial = 0

  const keyOf = (client: ClientOf, messageId: number): string => {
    if (!client.clean) return `${messageId} of ${client.id}`
    const serial = serials.get(client) ?? ++lastSerial
    serials.set(client, serial)
    return `${messageId} ${serial}`
  }

  return (
    client: ClientOf,
    messageId: number,
    publish: Publish,
    wanted: boolean,
  ): ((settle: Settle) => void) | undefined => {
    if (sessions.hasIncoming(client.id, messageId)) return undefined
    const key = keyOf(client, messageId)
    return settle => {
      const others = onTheirWay.get(key)
      if (others) {
        others.push(settle)
        return
      }
      const waiting: Settle[] = []
      onTheirWay.set(key, waiting)
      // Of a session that ends with its connection nothing outlives the process.
      const isKept = !client.clean && sessions.find(client.id)?.expiryMs !== 0
      const releasing = isKept ? { client: client.id, messageId } : undefined
      const settled: Settle = error => {
        settle(error)
        // By the next turn aedes has noted the packet id, and answers the others with PUBREC alone.
        setImmediate(() => {
          onTheirWay.delete(key)
          for (const other of waiting) other(error)
        })
      }
      hall.acceptKept(publish, wanted, settled, releasing)
    }
  }
}
