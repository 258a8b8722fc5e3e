/**
 * The reference of the configuration, written from the schema so that it cannot rot: Markdown for docs/config.md, and a
 * JSON schema for editors.
 */
import { z } from 'zod'
import { anyOf } from '../document.ts'
import { outsideRoute } from './route-schema.ts'
import { configFile } from './schema.ts'
import { variableOf } from './environment.ts'
import { unwrapped } from './shape.ts'
import { type Words, words } from './values.ts'

type Row = { key: string; type: string; fallback: string; sentence: string }

export function configReference(): string {
  const rows = rowsOf(configFile, []).map(
    ({ key, type, fallback, sentence }) => `| \`${key}\` | ${cell(type)} | ${cell(fallback)} | ${cell(sentence)} |`,
  )
  return `# Configuration

One YAML file. Every key may be left out unless it says "required"; an unknown key is refused. Relative paths start at the
folder of the file. \`[]\` is an item of a list, \`NAME\` a name of your own.

A key that holds one value may also come from the environment, which wins over the file: \`store.path\` is
\`${variableOf(['store', 'path'])}\`.

| key | type | default | |
|---|---|---|---|
${rows.join('\n')}
`
}

/** For editors that check YAML while it is written. */
export function configJsonSchema(): unknown {
  const schema = z.toJSONSchema(configFile, jsonSchemaOptions)
  const { routes } = schema.properties as { routes: { items: { oneOf: unknown[] } } }
  const { $schema: _, ...routeOfOthers } = z.toJSONSchema(outsideRoute, jsonSchemaOptions)
  routes.items.oneOf.push(routeOfOthers)
  return schema
}

const jsonSchemaOptions = { io: 'input', unrepresentable: 'any', reused: 'inline' } as const

function cell(text: string): string {
  return text.replaceAll('|', '\\|').replaceAll('<', '&lt;').replace(/\s+/g, ' ')
}

/** The row of a key and the rows of the keys below it. */
function rowsOf(schema: z.ZodType, path: readonly string[]): Row[] {
  const own = path.length === 0 ? [] : [rowOf(schema, path)]
  const inner = unwrapped(schema)
  return [...own, ...childrenOf(inner, path)]
}

function childrenOf(inner: z.ZodType, path: readonly string[]): Row[] {
  if (inner instanceof z.ZodObject) {
    return Object.entries(inner.shape as Record<string, z.ZodType>).flatMap(([key, child]) =>
      rowsOf(child, [...path, key]),
    )
  }
  const last = path.at(-1) ?? ''
  if (inner instanceof z.ZodArray) {
    return childrenOf(unwrapped(inner.element as z.ZodType), [...path.slice(0, -1), `${last}[]`])
  }
  if (inner instanceof z.ZodRecord) return childrenOf(unwrapped(inner.valueType as z.ZodType), [...path, 'NAME'])
  if (inner instanceof z.ZodUnion) return mergedRows(inner, path)
  return []
}

/** The forms of a union side by side: keys that all share as they are, the others with a word on where they belong. */
function mergedRows(union: z.ZodUnion, path: readonly string[]): Row[] {
  const forms = (union.options as readonly z.ZodType[]).map(unwrapped)
  const { discriminator } = union.def as { discriminator?: string }
  const rows = new Map<string, { row: Row; owners: string[] }>()
  for (const form of forms) {
    const owner = discriminator === undefined ? '' : formName(form, discriminator)
    for (const row of childrenOf(form, path)) {
      const isDiscriminator = discriminator !== undefined && row.key.endsWith(`.${discriminator}`)
      const before = rows.get(row.key)
      if (before === undefined) rows.set(row.key, { row, owners: [owner] })
      else if (isDiscriminator) {
        before.row.type += ` or ${row.type}`
        before.row.sentence += ` ${row.sentence}`
        if (before.row.fallback === 'required') before.row.fallback = row.fallback
      } else before.owners.push(owner)
    }
  }
  return [...rows.values()].map(({ row, owners }) => {
    const isShared = discriminator === undefined || row.key.endsWith(`.${discriminator}`)
    if (isShared || owners.length === forms.length) return row
    return { ...row, type: `${row.type} (${discriminator}: ${owners.join(', ')})` }
  })
}

function formName(form: z.ZodType, discriminator: string): string {
  return [...(form._zod.propValues?.[discriminator] ?? [])].filter(value => value !== undefined).join(' or ')
}

function rowOf(schema: z.ZodType, path: readonly string[]): Row {
  const said = wordsOf(schema)
  return {
    key: path.join('.'),
    type: said.type ?? typeOf(unwrapped(schema)),
    fallback: said.fallback ?? fallbackOf(schema),
    sentence: descriptionOf(schema) ?? '',
  }
}

/** Words and descriptions stand on whichever layer of optional and default they were written on. */
function layersOf(schema: z.ZodType): z.ZodType[] {
  const { innerType } = schema.def as { innerType?: z.ZodType }
  return innerType ? [schema, ...layersOf(innerType)] : [schema]
}

function wordsOf(schema: z.ZodType): Words {
  return Object.assign(
    {},
    ...layersOf(schema)
      .toReversed()
      .map(layer => words.get(layer) ?? {}),
  ) as Words
}

function descriptionOf(schema: z.ZodType): string | undefined {
  return layersOf(schema).find(layer => layer.description !== undefined)?.description
}

function typeOf(inner: z.ZodType): string {
  const said = words.get(inner)?.type
  if (said !== undefined) return said
  if (inner instanceof z.ZodEnum) return anyOf(inner.options.map(String))
  if (inner instanceof z.ZodLiteral) return [...inner.values].map(String).join(' or ')
  if (inner instanceof z.ZodArray) return `list of ${typeOf(unwrapped(inner.element as z.ZodType))}`
  if (inner instanceof z.ZodRecord) return 'map by name'
  if (inner instanceof z.ZodObject) return 'keys'
  if (inner instanceof z.ZodUnion) {
    const forms = (inner.options as readonly z.ZodType[]).map(form => typeOf(unwrapped(form)))
    return [...new Set(forms)].filter(form => form !== '').join(' or ')
  }
  if (inner instanceof z.ZodPipe) return typeOf(unwrapped(inner.in as z.ZodType))
  return inner.def.type === 'string' ? 'text' : inner.def.type
}

function fallbackOf(schema: z.ZodType): string {
  const def = schema.def as { type: string; defaultValue?: unknown; innerType?: z.ZodType }
  if (def.type === 'optional') return ''
  if (def.type !== 'default' && def.type !== 'prefault') return def.innerType ? fallbackOf(def.innerType) : 'required'
  const value = def.defaultValue
  if (typeof value === 'object' && value !== null) return Array.isArray(value) ? 'none' : ''
  return `\`${String(value)}\``
}
