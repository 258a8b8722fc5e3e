/**
 * What a poller says of its device, beside what it fetched: that it is there, or that it does not answer. The topic's
 * level `said` tells which; without one it is what was fetched, and the adapter's to read. Pure.
 */
import type { Adapter } from './adapter.ts'

export function polled(adapter: Adapter, devices: readonly string[]): Adapter {
  return {
    name: adapter.name,
    decode: (payload, levels, message) => {
      const said = levels.get('said')
      if (said === undefined) return adapter.decode(payload, levels, message)
      const presence = devices.map(device => ({ device, isOnline: said === 'online' }))
      return { ok: true, readings: [], more: { presence } }
    },
  }
}

/** For a poller whose pages the routes read: there is nothing else to be read here. */
export const nothingElse: Adapter = {
  name: 'polled',
  decode: () => ({ ok: false, reason: 'nothing is read here' }),
}
