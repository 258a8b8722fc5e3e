/** The body of a request as JSON, if it says that it is JSON: a page in a browser cannot say so without asking first. */
import { HoldfastError } from '../errors.ts'
import type { Json } from '../reading.ts'

export function jsonBody(type: string | undefined, text: string): Json {
  if (!/^application\/json\s*(;|$)/i.test(type ?? '')) {
    throw new HoldfastError('BAD_ARGUMENT', 'the body is not declared as JSON', 'send content-type: application/json')
  }
  try {
    return JSON.parse(text) as Json
  } catch (error) {
    const hint = 'a text needs its quotes: "on"'
    throw new HoldfastError('BAD_ARGUMENT', 'the body is not JSON', hint, error)
  }
}

/** JSON lines, of which there may be any number. */
export const isLines = (type: string | undefined): boolean => /^application\/(x-ndjson|jsonl)\s*(;|$)/i.test(type ?? '')
