/**
 * Names of devices and metrics, ids and units: what is allowed, checked once, here. Names become parts of keys and of
 * topics, so they hold no control character (a separator of keys) and none of MQTT's own characters.
 */
import { nameBytesMax, readingIdBytesMax, unitBytesMax } from '../runtime/limits.ts'

/** What is wrong with a name of a device or metric, or undefined. `what` names it in the sentence. */
export function nameFault(what: string, name: string): string | undefined {
  return textFault(what, name, nameBytesMax, true)
}

export function idFault(id: string): string | undefined {
  return textFault('the id', id, readingIdBytesMax, false)
}

export function unitFault(unit: string): string | undefined {
  return textFault('the unit', unit, unitBytesMax, false)
}

/** One look at each character, for this runs several times for every reading; a regular expression costs five times as much. */
function textFault(what: string, text: string, bytesMax: number, topicLevel: boolean): string | undefined {
  const length = text.length
  if (length === 0) return `${what} is empty`
  // A UTF-16 unit takes at least one byte, so a very long text is refused unread.
  if (length > bytesMax) return `${what} is longer than ${bytesMax} bytes`
  let bytes = length
  for (let index = 0; index < length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x7f) {
      if (code < 0x20) return `${what} holds a control character`
      if (topicLevel && (code === slash || code === plus || code === hash)) {
        return `${what} holds "${text[index]}", which MQTT keeps for topics`
      }
    } else if (code < 0xa0) {
      return `${what} holds a control character`
    } else if (code < 0x800) {
      bytes += 1
    } else if (code < 0xd800 || code > 0xdfff) {
      bytes += 2
    } else {
      // Half a surrogate pair has no UTF-8 form: two different names would become one key.
      const low = text.charCodeAt(index + 1)
      if (code > 0xdbff || !(low >= 0xdc00 && low <= 0xdfff)) return `${what} holds half of a character`
      index += 1
      bytes += 2
    }
  }
  return bytes > bytesMax ? `${what} is longer than ${bytesMax} bytes` : undefined
}

const slash = 0x2f
const plus = 0x2b
const hash = 0x23
