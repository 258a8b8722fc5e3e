/** As much of JSON Schema as ours uses, to try it on values. A keyword that it does not know is an error, not a pass. */
import assert from 'node:assert/strict'

export type Schema = {
  readonly type?: string | readonly string[]
  readonly description?: string
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  readonly additionalProperties?: boolean | Schema
  readonly propertyNames?: Schema
  readonly items?: Schema
  readonly minItems?: number
  readonly maxItems?: number
  readonly anyOf?: readonly Schema[]
  readonly oneOf?: readonly Schema[]
  readonly allOf?: readonly Schema[]
  readonly not?: Schema
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly pattern?: string
  readonly minLength?: number
  readonly maxLength?: number
  readonly minimum?: number
  readonly maximum?: number
  readonly $ref?: string
  readonly $defs?: Readonly<Record<string, Schema>>
}

type Map = Readonly<Record<string, unknown>>
type Check = (schema: Schema, value: unknown, root: Schema) => boolean

const isMap = (value: unknown): value is Map => typeof value === 'object' && value !== null && !Array.isArray(value)
const every = (value: unknown, test: (item: unknown) => boolean): boolean => !Array.isArray(value) || value.every(test)

const types: Readonly<Record<string, (value: unknown) => boolean>> = {
  object: isMap,
  array: Array.isArray,
  string: value => typeof value === 'string',
  number: value => typeof value === 'number',
  integer: Number.isInteger,
  boolean: value => typeof value === 'boolean',
  null: value => value === null,
}

const always: Check = () => true

/** Keywords say nothing about values of another type, as the standard has it. */
const keywords: Readonly<Record<string, Check>> = {
  type: ({ type = [] }, value) =>
    [type].flat().some(name => types[name]?.(value) ?? assert.fail(`this validator does not know the type ${name}`)),
  properties: (schema, value, root) =>
    !isMap(value) ||
    Object.entries(schema.properties ?? {}).every(
      ([key, child]) => !Object.hasOwn(value, key) || check(child, value[key], root),
    ),
  required: (schema, value) => !isMap(value) || (schema.required ?? []).every(key => Object.hasOwn(value, key)),
  additionalProperties: (schema, value, root) => {
    const { additionalProperties: others = true, properties = {} } = schema
    if (!isMap(value) || others === true) return true
    const keys = Object.keys(value).filter(key => !Object.hasOwn(properties, key))
    return keys.every(key => others !== false && check(others, value[key], root))
  },
  propertyNames: (schema, value, root) =>
    !isMap(value) || Object.keys(value).every(key => check(schema.propertyNames ?? {}, key, root)),
  items: (schema, value, root) => every(value, item => check(schema.items ?? {}, item, root)),
  minItems: (schema, value) => !Array.isArray(value) || value.length >= (schema.minItems ?? 0),
  maxItems: (schema, value) => !Array.isArray(value) || value.length <= (schema.maxItems ?? 0),
  anyOf: (schema, value, root) => (schema.anyOf ?? []).some(each => check(each, value, root)),
  oneOf: (schema, value, root) => (schema.oneOf ?? []).filter(each => check(each, value, root)).length === 1,
  allOf: (schema, value, root) => (schema.allOf ?? []).every(each => check(each, value, root)),
  not: (schema, value, root) => !check(schema.not ?? {}, value, root),
  enum: (schema, value) => (schema.enum ?? []).includes(value),
  const: (schema, value) => value === schema.const,
  pattern: (schema, value) => typeof value !== 'string' || new RegExp(schema.pattern ?? '', 'u').test(value),
  minLength: (schema, value) => typeof value !== 'string' || value.length >= (schema.minLength ?? 0),
  maxLength: (schema, value) => typeof value !== 'string' || value.length <= (schema.maxLength ?? 0),
  minimum: (schema, value) => typeof value !== 'number' || value >= (schema.minimum ?? 0),
  maximum: (schema, value) => typeof value !== 'number' || value <= (schema.maximum ?? 0),
  $ref: (schema, value, root) => {
    const name = schema.$ref?.replace('#/$defs/', '') ?? ''
    return check(root.$defs?.[name] ?? assert.fail(`no definition ${schema.$ref}`), value, root)
  },
  ...Object.fromEntries(['$schema', '$defs', 'title', 'description'].map(word => [word, always])),
}

function check(schema: Schema, value: unknown, root: Schema): boolean {
  return Object.keys(schema).every(word => {
    const keyword = keywords[word] ?? assert.fail(`this validator does not know ${word}`)
    return keyword(schema, value, root)
  })
}

export function accepts(schema: Schema, value: unknown): boolean {
  return check(schema, value, schema)
}
