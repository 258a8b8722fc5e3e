/**
 * The `json` adapter: one JSON message becomes one reading, or many.
 *
 *   {"value": 21.5, "time": 1767225600, "id": "a7", "unit": "°C"}     one reading (`fields` says where things stand)
 *   {"temp": {"c": 21.5}, "hum": 40}                                  many, with `values: {temperature: temp.c, humidity: hum}`
 *   {"temperature": 21.5, "humidity": 40}                             many, with `values: all`
 *   {"items": [{"value": 1}, {"value": 2}]}                           many, with `each: items`
 *   {"kitchen": 21.5, "hall": 18}                                     many, with `each: .` and `fields: {device: '@key'}`
 *   21.5                                                              a bare value, where the topic gives both names
 *
 * A message is taken whole or rejected whole. Only own keys of the message are ever read.
 */
import { adapterKind } from './adapter.ts'
import { parseJson } from './json-text.ts'
import { mappingNameOptions, mappingOptions, planOf } from './mapping-options.ts'
import { readMapped } from './mapping.ts'
import { reject } from './reason.ts'

export const jsonKind = adapterKind({
  name: 'json',
  sentence: 'the payload is JSON: one reading, or many',
  options: mappingOptions,
  nameOptions: mappingNameOptions,
  decoder: options => {
    const plan = planOf(options)
    return (payload, levels) => {
      const parsed = parseJson(payload)
      return parsed.ok ? readMapped(plan, parsed.message, levels) : reject(parsed.reason)
    }
  },
})
