/**
 * Shelly's first generation: a topic for each value, shellies/<id>/<what>, with plain text in it; some hold JSON.
 */
import type { Reading } from '../runtime/reading.ts'
import type { Decoded } from './adapter.ts'
import { parseJson } from './json-text.ts'
import { readMembers } from './members.ts'
import { nameFault } from './names.ts'
import { payloadText } from './payload.ts'
import { plainValue } from './scalar.ts'
import { presenceIn, saysNothing } from './presence-words.ts'
import { reject } from './reason.ts'
import { valueFault } from './value.ts'

/** What is sent to a device, and what a device says of itself. */
const noReadings: ReadonlySet<string> = new Set(['command', 'set', 'announce', 'info', 'settings'])

export function readShellyOne(payload: Uint8Array, device: string, path: readonly string[]): Decoded {
  if (path.length === 1 && path[0] === 'online') {
    return presenceIn(payload, device, { online: 'true', offline: 'false' })
  }
  if (path.some(level => noReadings.has(level))) return saysNothing
  const metric = path.join('.')
  const read = payloadText(payload)
  if (!read.ok) return reject(read.reason)
  if (read.text.startsWith('{')) return readObject(payload, device, metric)
  const value = plainValue(read.text)
  const fault = nameFault('the metric', metric) ?? valueFault(value)
  if (fault !== undefined) return reject(fault)
  return { ok: true, readings: [{ device, metric, value, deviceTimeMs: undefined, id: undefined, unit: undefined }] }
}

function readObject(payload: Uint8Array, device: string, prefix: string): Decoded {
  const parsed = parseJson(payload)
  if (!parsed.ok) return reject(parsed.reason)
  const readings: Reading[] = []
  const plan = {
    device,
    deviceTimeMs: undefined,
    isLeftOut: () => false,
    unitOf: () => undefined,
    lists: 'whole',
  } as const
  const fault = readMembers(plan, parsed.message as object, readings, prefix)
  if (fault !== undefined) return reject(fault)
  return readings.length === 0 ? saysNothing : { ok: true, readings }
}
