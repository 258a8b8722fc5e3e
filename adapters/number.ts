/**
 * The `number` adapter: the payload is one decimal number as text, or a switch (`true`, `false`, `on`, `off`). Device and
 * metric come from the topic. What most simple sensors send.
 */
import { z } from 'zod'
import { numberTextBytesMax } from '../runtime/limits.ts'
import { type Adapter, adapterKind } from './adapter.ts'
import { nameFault } from './names.ts'
import { scalarOf } from './scalar.ts'

export const numberKind = adapterKind({
  name: 'number',
  sentence: 'the payload is one number as text, or true, false, on or off',
  options: z.strictObject({}),
  nameOptions: { device: [], metric: [] },
  decoder: () => decodeNumber,
})

const decodeNumber: Adapter['decode'] = (payload, levels) => {
  const device = levels.get('device') ?? ''
  const metric = levels.get('metric') ?? ''
  const fault = nameFault('the device', device) ?? nameFault('the metric', metric)
  if (fault) return { ok: false, reason: fault }
  if (payload.byteLength > numberTextBytesMax) {
    return { ok: false, reason: `not a number: longer than ${numberTextBytesMax} bytes` }
  }
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1').trim()
  const value = scalarOf(text)
  if (value === undefined) return { ok: false, reason: text === '' ? 'the payload is empty' : 'not a number' }
  if (typeof value === 'number' && !Number.isFinite(value)) return { ok: false, reason: 'not a finite number' }
  return { ok: true, readings: [{ device, metric, value, deviceTimeMs: undefined, id: undefined, unit: undefined }] }
}
