/**
 * The `cbor` adapter: what `json` does, for messages in CBOR (RFC 8949). The options are the same, and mean the same: a
 * whole number that is a key is written as its digits, a byte string is a text in base64url, a time is a text in ISO 8601.
 */
import { adapterKind } from './adapter.ts'
import { parseCbor } from './cbor-value.ts'
import { mappingNameOptions, mappingOptions, planOf } from './mapping-options.ts'
import { readMapped } from './mapping.ts'
import { reject } from './reason.ts'

export const cborKind = adapterKind({
  name: 'cbor',
  sentence: 'the payload is CBOR: one reading, or many',
  options: mappingOptions,
  nameOptions: mappingNameOptions,
  decoder: options => {
    const plan = planOf(options)
    return (payload, levels) => {
      const parsed = parseCbor(payload)
      return parsed.ok ? readMapped(plan, parsed.message, levels) : reject(parsed.reason)
    }
  },
})
