/**
 * Dotted paths into a parsed message: `temp.c`, `items.0.v`. Only own keys are ever read, so that `constructor` and
 * `__proto__` are nothing special in a message that a stranger wrote.
 */

/** A dotted path taken apart. `only` is set where one plain key says it all, which is the usual and the fast case. */
export type KeyPath = { readonly text: string; readonly keys: readonly string[]; readonly only: string | undefined }

/** As a path: the key under which an item stands in its map, or its place in its list. */
export const itemKey = '@key'

export function keyPath(text: string): KeyPath {
  const keys = keysOf(text)
  const [first = ''] = keys
  return { text, keys, only: keys.length === 1 && !inherited.has(first) ? first : undefined }
}

/** `a.b` is two keys, `a\.b` is one that has a dot in it. */
export function keysOf(text: string): string[] {
  if (!text.includes('\\')) return text.split('.')
  const keys = ['']
  for (let at = 0; at < text.length; at++) {
    const isEscape = text[at] === '\\' && (text[at + 1] === '.' || text[at + 1] === '\\')
    if (isEscape) at++
    if (text[at] === '.' && !isEscape) keys.push('')
    else keys[keys.length - 1] += text[at] ?? ''
  }
  return keys
}

/** The value at a path, or undefined. A path that is undefined leads nowhere. */
export function lookUp(message: unknown, path: KeyPath | undefined): unknown {
  if (path === undefined || typeof message !== 'object' || message === null) return undefined
  if (path.only !== undefined) return (message as Readonly<Record<string, unknown>>)[path.only]
  let value: unknown = message
  for (const key of path.keys) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return undefined
    value = (value as Readonly<Record<string, unknown>>)[key]
  }
  return value
}

/** The keys that every object or list answers to without having them; asking for own keys costs more than all the rest. */
const inherited: ReadonlySet<string> = new Set(
  [Object.prototype, Array.prototype].flatMap(prototype => Object.getOwnPropertyNames(prototype)),
)
