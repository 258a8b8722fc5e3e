/** The shape of the schema, for those that walk it: the environment, the reference, and keys left empty. */
import { z } from 'zod'

/** The schema inside of optionals and defaults. */
export function unwrapped(schema: z.ZodType): z.ZodType {
  const { innerType } = schema.def as { innerType?: z.ZodType }
  return innerType ? unwrapped(innerType) : schema
}

/** The keys of a section, or undefined for what is no section. */
export function keysOf(schema: z.ZodType): [key: string, schema: z.ZodType][] | undefined {
  const inner = unwrapped(schema)
  return inner instanceof z.ZodObject ? Object.entries<z.ZodType>(inner.shape) : undefined
}

/**
 * A section whose keys are all commented out is null to YAML. To the person who wrote it, it is there and has its
 * defaults; an empty list or map is the same as none.
 */
export function withSections(plain: unknown, schema: z.ZodType): unknown {
  const keys = keysOf(schema)
  if (!keys || typeof plain !== 'object' || plain === null || Array.isArray(plain)) return plain
  const filled = new Map(Object.entries(plain))
  for (const [key, child] of keys) {
    if (!filled.has(key)) continue
    if (filled.get(key) !== null) filled.set(key, withSections(filled.get(key), child))
    else if (keysOf(child)) filled.set(key, {})
    else if (['array', 'record'].includes(unwrapped(child).def.type)) filled.delete(key)
  }
  return Object.fromEntries(filled)
}
