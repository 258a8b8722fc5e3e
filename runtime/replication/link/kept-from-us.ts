/** What a broker's access rules keep from a bridge, in the words of its streams. Pure. */
import type { DeniedTopic } from './breaker.ts'
import { filterOf, topicOf } from '../wire/protocol.ts'
import type { StreamStatus } from '../stream.ts'

/**
 * A stream whose topic is denied stands still, whatever it says of itself. One that is not confirmed may be: with MQTT
 * 3.1.1 mosquitto acknowledges what it throws away.
 */
export function withAccess(
  streams: readonly StreamStatus[],
  gateway: string,
  { denied, mqtt }: { readonly denied?: readonly DeniedTopic[]; readonly mqtt?: '3.1.1' | '5' },
): readonly StreamStatus[] {
  return streams.map(stream => {
    const name = stream.direction === 'send' ? 'entries' : 'position'
    const topic = topicOf(gateway, 'up', name, stream.table)
    const found = denied?.find(one => one.topic === topic)
    if (found !== undefined) return { ...stream, state: 'refused', reason: found.reason }
    if (stream.state !== 'stalled' || stream.direction !== 'send' || stream.reason !== undefined) return stream
    const reason =
      mqtt === '5'
        ? 'sent, and not confirmed: the hub does not commit it'
        : `sent, and not confirmed: the hub does not commit it, or a broker's access rules keep ${topic} from us`
    return { ...stream, reason }
  })
}

/** Nobody answers our hello. A broker that lets us subscribe to what it never delivers (mosquitto) looks like this too. */
export function unanswered(gateway: string, denied: readonly DeniedTopic[]): string {
  const hello = topicOf(gateway, 'up', 'hello')
  const found = denied.find(one => one.topic === hello)
  if (found !== undefined) return found.reason
  const filter = filterOf(gateway, 'down')
  return `no answer to our greeting: does the hub run, and may we write to ${hello} and read ${filter} by the broker's access rules?`
}
