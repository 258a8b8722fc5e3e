/** A Homie payload by the datatype that its property was given. A payload that does not fit it is refused, as the convention says. */
import type { Value } from '../runtime/reading.ts'
import type { HomieProperty } from './homie-memory.ts'
import { plainValue } from './scalar.ts'
import { valueFault } from './value.ts'

type Read = { readonly ok: true; readonly value: Value } | { readonly ok: false; readonly reason: string }

const integer = /^-?\d{1,19}$/
const float = /^-?\d{1,400}(?:\.\d{0,400})?(?:[eE][-+]?\d{1,3})?$/

export function readHomieValue(text: string, { datatype, format }: HomieProperty): Read {
  const value = valueOf(text, datatype, format)
  if (value === undefined) return { ok: false, reason: `not of the datatype ${datatype ?? ''}` }
  const fault = valueFault(value)
  return fault === undefined ? { ok: true, value } : { ok: false, reason: `the value ${fault}` }
}

function valueOf(text: string, datatype: string | undefined, format: string | undefined): Value | undefined {
  switch (datatype) {
    case undefined:
      return plainValue(text)
    case 'integer':
      return integer.test(text) ? Number(text) : undefined
    case 'float':
      return float.test(text) ? Number(text) : undefined
    case 'boolean':
      return text === 'true' || text === 'false' ? text === 'true' : undefined
    case 'enum':
      return format === undefined || format.split(',').includes(text) ? text : undefined
    default:
      return text
  }
}
