/**
 * Values from the environment: `HOLDFAST_STORE__PATH` is the key `store.path`. Any key that holds one value may be set
 * so, and wins over the file; lists and maps stay in the file. A variable that begins with HOLDFAST_ and is no key is
 * refused, so that a slip of the pen does not pass in silence. The process' own environment is read in doors.ts.
 */
import type { z } from 'zod'
import { nearestName, plainWords, type Problem } from '../document.ts'
import { keysOf, unwrapped } from './shape.ts'

export type Environment = Readonly<Record<string, string | undefined>>
export type Override = { readonly path: readonly string[]; readonly value: string | number }

const prefix = 'HOLDFAST_'

export function readEnvironment(
  environment: Environment,
  schema: z.ZodObject,
): { overrides: Override[]; problems: Problem[] } {
  const keys = new Map(singleValues(schema, []).map(key => [variableOf(key.path), key]))
  const overrides: Override[] = []
  const problems: Problem[] = []
  for (const [variable, text] of Object.entries(environment)) {
    if (!variable.startsWith(prefix) || text === undefined) continue
    const key = keys.get(variable)
    const taken = key ? valueOf(text, key.schema) : { fault: unknownVariable(variable, keys.keys()) }
    // An environment has no lines: line 0 says so.
    if ('fault' in taken) problems.push({ file: variable, line: 0, column: 0, message: taken.fault })
    else if (key) overrides.push({ path: key.path, value: taken.value })
  }
  return { overrides, problems }
}

/** The variable of a key: `store.commit_interval` is `HOLDFAST_STORE__COMMIT_INTERVAL`. */
export function variableOf(path: readonly string[]): string {
  return prefix + path.join('__').toUpperCase()
}

/** The plain value of a file with the overrides put in. What is no map where one is needed is left for the schema. */
export function applyOverrides(plain: unknown, overrides: readonly Override[]): unknown {
  let result = plain
  for (const { path, value } of overrides) result = withValue(result, path, value)
  return result
}

function withValue(plain: unknown, [step, ...rest]: readonly string[], value: string | number): unknown {
  if (step === undefined) return value
  if (plain !== undefined && plain !== null && (typeof plain !== 'object' || Array.isArray(plain))) return plain
  const map = (plain ?? {}) as Readonly<Record<string, unknown>>
  return { ...map, [step]: withValue(Object.hasOwn(map, step) ? map[step] : undefined, rest, value) }
}

type SingleValue = { readonly path: readonly string[]; readonly schema: z.ZodType }

function singleValues(schema: z.ZodType, path: readonly string[]): SingleValue[] {
  const keys = keysOf(schema)
  if (keys) return keys.flatMap(([key, child]) => singleValues(child, [...path, key]))
  return ['array', 'record'].includes(unwrapped(schema).def.type) ? [] : [{ path, schema }]
}

/** Variables are text; a key that wants a number takes the text as one. */
function valueOf(text: string, schema: z.ZodType): { value: string | number } | { fault: string } {
  const asText = schema.safeParse(text, { error: plainWords })
  if (asText.success) return { value: text }
  const number = text.trim() === '' ? Number.NaN : Number(text)
  if (Number.isNaN(number)) return { fault: asText.error.issues[0]?.message ?? 'is not what this key takes' }
  const asNumber = schema.safeParse(number, { error: plainWords })
  if (asNumber.success) return { value: number }
  return { fault: asNumber.error.issues[0]?.message ?? 'is not what this key takes' }
}

function unknownVariable(variable: string, known: Iterable<string>): string {
  const nearest = nearestName(variable, known)
  return `there is no key for this variable${nearest ? `; did you mean ${nearest}?` : ''}`
}
