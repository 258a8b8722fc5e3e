/**
 * The `presence` adapter: the payload says that a device is here, or that it is gone: what devices publish, retained, when
 * they connect, and leave to the broker as their will. No reading comes of it.
 */
import { z } from 'zod'
import { numberTextBytesMax } from '../runtime/limits.ts'
import { adapterKind, type Decoded } from './adapter.ts'
import { nameFault } from './names.ts'
import { asBuffer } from './payload.ts'
import { presence, saysNothing } from './presence-words.ts'
import { reject } from './reason.ts'

const words = (usual: readonly string[]) =>
  z
    .array(z.string().min(1).max(numberTextBytesMax))
    .min(1)
    .max(16)
    .default([...usual])

const options = z.strictObject({
  online: words(['online', 'true', '1']).describe(
    'Payloads that mean that it is here; small and capital letters are the same.',
  ),
  offline: words(['offline', 'false', '0', 'lost']).describe('Payloads that mean that it is gone.'),
})

export const presenceKind = adapterKind({
  name: 'presence',
  sentence: 'the payload says that a device is here or gone; its will may say so too',
  options,
  nameOptions: { device: [], metric: 'always' },
  decoder: ({ online, offline }) => {
    const meanings = new Map([
      ...offline.map(word => [word.toLowerCase(), false] as const),
      ...online.map(word => [word.toLowerCase(), true] as const),
    ])
    return (payload, levels) => decode(payload, levels.get('device') ?? '', meanings)
  },
})

function decode(payload: Uint8Array, device: string, meanings: ReadonlyMap<string, boolean>): Decoded {
  const fault = nameFault('the device', device)
  if (fault) return reject(fault)
  // A retained message is taken away with an empty one: it says nothing of the device.
  if (payload.byteLength === 0) return saysNothing
  if (payload.byteLength > numberTextBytesMax) {
    return reject(`no word of presence: longer than ${numberTextBytesMax} bytes`)
  }
  const isOnline = meanings.get(asBuffer(payload).toString('utf8').trim().toLowerCase())
  if (isOnline === undefined) return reject(`no word of presence: none of ${[...meanings.keys()].join(', ')}`)
  return presence(device, isOnline)
}
