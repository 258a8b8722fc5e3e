/**
 * The way of a will: a publish like any other, but its connection is gone, so there is no line to wait in, and nobody
 * who could be told that it was refused [A12].
 *
 * Promises: it is judged by what its user may do when it is published, not when it was left; each that is not published
 * is counted by its cause; one that is refused is not asked about again.
 */
import type { Visitor } from './access.ts'
import type { Hall } from './engine.ts'
import type { Sessions } from './sessions.ts'
import type { Will } from './wills.ts'

/** `own`: whose connection left it; undefined of one that was kept over a restart. Calls back with why not, once. */
export function takeWill(
  hall: Pick<Hall, 'acceptKept' | 'flushSoon' | 'guests' | 'now' | 'tally' | 'topics'>,
  wills: Pick<Sessions['wills'], 'delete'>,
  will: Will,
  own: Visitor | undefined,
  done: (cause?: string) => void,
): void {
  const { clientId: client, topic: name, payload, qos, retain, properties, user = '' } = will
  const { guests, tally } = hall
  const bytes = Buffer.from(name)
  const topic = hall.topics.find(bytes, 0, bytes.length)
  const visitor = own?.isCurrent() === true ? own : guests.standIn(own?.user ?? user, client)
  const refusal = topic.fault ?? (visitor?.mayPublish(name) === true ? undefined : 'publish_denied')
  if (refusal !== undefined) {
    tally.warn(`refused_${refusal}`, 'A will was refused: its client may not publish it', { client, topic: name })
    wills.delete(client)
    return done(refusal)
  }
  if (!topic.wanted) tally.add('unrouted')
  if (own === undefined) tally.add('wills_after_start')
  const said = properties?.bytes && properties
  const mayName = visitor?.mayName
  const publish = { client, topic: name, payload, qos, retain, properties: said, arrivalMs: hall.now(), mayName }
  hall.acceptKept(publish, topic.wanted, error => {
    if (error !== undefined)
      tally.warn('not_durable', 'A will could not be stored', { client, topic: name, error: error.message })
    done(error?.message)
  })
  if (topic.wanted) hall.flushSoon()
}
