/**
 * Tells the local broker of every alert, so that a lamp or a screen needs no cloud:
 *
 *   holdfast/alerts/<rule>/<device>/<metric>    the alert's row as JSON, with its key; QoS 1, not retained
 *
 * Once when it fires and once when it resolves. A crash in between may tell one twice, never not at all.
 */
import { messageOf } from '../errors.ts'
import type { Log } from '../log.ts'
import type { Store } from '../store/store.ts'
import { type Seq, seqZero } from '../store/types.ts'
import { alertsTable } from './names.ts'

export const alertTopics = 'holdfast/alerts'

export type Publisher = (topic: string, payload: string) => Promise<void>

const cursorName = 'announcer/alerts'
const retryMs = 1_000

/** Announces until the signal aborts. Alerts that came from a peer were announced where they arose. */
export async function announceAlerts(store: Store, publish: Publisher, log: Log, signal: AbortSignal): Promise<void> {
  let position: Seq = store.cursor(cursorName) ?? seqZero
  while (!signal.aborted) {
    try {
      for await (const entries of store.follow(alertsTable, position, signal, 64)) {
        for (const entry of entries) {
          if (entry.kind === 'record' && entry.origin === store.origin && entry.value !== undefined) {
            const { rule = '', device = '', metric = '' } = entry.value as Record<string, string>
            await publish(
              [alertTopics, rule, device, metric].map(topicLevel).join('/'),
              JSON.stringify({ key: entry.key, ...(entry.value as object) }),
            )
          }
          position = entry.seq
        }
        // Not waited for: neither the next alert nor the end of the gateway should wait for a cursor's company.
        store.commit([{ kind: 'cursor', name: cursorName, seq: position }], 'lazy').catch((error: unknown) => {
          log.debug({ reason: messageOf(error) }, 'the place of the announcer was not saved')
        })
      }
    } catch (error) {
      if (signal.aborted) return
      log.warn({ reason: messageOf(error) }, 'an alert could not be announced: trying again')
      await new Promise(resolve => setTimeout(resolve, retryMs))
    }
  }
}

function topicLevel(name: string, index: number): string {
  return index === 0 ? name : name.replaceAll(/[/+#\0]/g, '_')
}
