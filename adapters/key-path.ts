/**
 * Dotted paths into a parsed message: `temp.c`, `items.0.v`. Only own keys are ever read, so that `constructor` and
 * `__proto__` are nothing special in a message that a stranger wrote.
 */

/** A dotted path taken apart. `only` is set where one plain key says it all, which is the usual and the fast case. */
export type KeyPath = { readonly text: string; readonly keys: readonly string[]; readonly only: string | undefined }

export function keyPath(text: string): KeyPath {
  const keys = text.split('.')
  return { text, keys, only: keys.length === 1 && !inherited.has(text) ? text : undefined }
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
