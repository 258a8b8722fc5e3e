/** The publish around a payload, for tests of adapters; what was remembered is kept in `known`. */
import type { Decoded, Message } from '../../adapters/adapter.ts'
import type { Json } from '../../runtime/reading.ts'

export function message(topic = 'sensors/freezer-1/temperature', known = new Map<string, Json>()): Message {
  return { topic, retain: false, arrivalMs: Date.UTC(2026, 0, 1), recall: key => known.get(key) }
}

/** Does what ingest does with what a message wants remembered. */
export function remember(known: Map<string, Json>, { more }: Decoded): void {
  for (const { key, value } of more?.remember ?? []) {
    if (value === undefined) known.delete(key)
    else known.set(key, value)
  }
}
