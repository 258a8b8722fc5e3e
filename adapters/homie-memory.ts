/**
 * What Homie devices said of their properties: datatype, unit and format, under "property DEVICE/NODE/PROPERTY". The
 * properties of a description (version 5) are listed under "described DEVICE", so that a new one takes back the old. How
 * many there are stands under "properties", to keep it bounded.
 */
import {
  homieDescriptionCharactersMax,
  homieFormatCharactersMax,
  homiePropertiesMax,
  unitBytesMax,
} from '../runtime/limits.ts'
import type { Json } from '../runtime/reading.ts'
import type { Message } from './adapter.ts'
import { parseJson } from './json-text.ts'
import { unitFault } from './names.ts'

type Change = { readonly key: string; readonly value: Json | undefined }

export type HomieProperty = {
  readonly datatype?: string | undefined
  readonly unit?: string | undefined
  readonly format?: string | undefined
}

const nothing: HomieProperty = {}

export function recallProperty(message: Message, property: string): HomieProperty {
  return (message.recall(`property ${property}`) as HomieProperty | undefined) ?? nothing
}

/** Takes one attribute of a property, or takes it back; says what is wrong with it. */
export function rememberAttribute(
  message: Message,
  property: string,
  attribute: keyof HomieProperty,
  text: string | undefined,
): Change[] | string {
  const fault = text === undefined ? undefined : attributeFault(attribute, text)
  if (fault !== undefined) return fault
  const before = recallProperty(message, property)
  if (before[attribute] === text) return []
  const { [attribute]: _, ...others } = before
  return new Changes(message).set(property, text === undefined ? others : { ...others, [attribute]: text })
}

/** Takes the properties of a whole device, in place of those that it described before. */
export function rememberDescription(message: Message, device: string, payload: Uint8Array): Change[] | string {
  if (payload.length > homieDescriptionCharactersMax * 16) return 'the description is too long'
  const parsed = parseJson(payload)
  if (!parsed.ok) return parsed.reason
  const described = propertiesOf(device, parsed.message)
  if (typeof described === 'string') return described
  const listed = [...described.keys()]
  if (JSON.stringify(listed).length > homieDescriptionCharactersMax) return 'the description has too many properties'
  const changes = new Changes(message)
  const listKey = `described ${device}`
  for (const property of (message.recall(listKey) as readonly string[] | undefined) ?? []) {
    if (!described.has(property)) changes.set(property, undefined)
  }
  for (const [property, known] of described) {
    const full = changes.set(property, known)
    if (typeof full === 'string') return full
  }
  return [...changes.all, { key: listKey, value: listed.length === 0 ? undefined : listed }]
}

function propertiesOf(device: string, description: unknown): Map<string, HomieProperty> | string {
  if (!isObject(description)) return 'the description is not an object'
  const properties = new Map<string, HomieProperty>()
  const { nodes = {} } = description
  if (!isObject(nodes)) return 'the description has no nodes by id'
  for (const [node, said] of Object.entries(nodes)) {
    const { properties: own = {} } = isObject(said) ? said : {}
    if (!isObject(own)) return 'a node of the description has no properties by id'
    for (const [property, attributes] of Object.entries(own)) {
      properties.set(`${device}/${node}/${property}`, isObject(attributes) ? attributesOf(attributes) : {})
    }
  }
  return properties
}

function attributesOf({ datatype, unit, format }: Readonly<Record<string, unknown>>): HomieProperty {
  const taken = (attribute: keyof HomieProperty, value: unknown): HomieProperty =>
    typeof value === 'string' && attributeFault(attribute, value) === undefined ? { [attribute]: value } : {}
  return { ...taken('datatype', datatype), ...taken('unit', unit), ...taken('format', format) }
}

function attributeFault(attribute: keyof HomieProperty, text: string): string | undefined {
  if (attribute === 'unit') return unitFault(text)
  const max = attribute === 'datatype' ? unitBytesMax : homieFormatCharactersMax
  return text.length > max ? `$${attribute} is longer than ${max} characters` : undefined
}

/** Changes of one message, and the count that goes with them. */
class Changes {
  readonly #message: Message
  readonly #properties = new Map<string, HomieProperty | undefined>()
  #count: number

  constructor(message: Message) {
    this.#message = message
    this.#count = (message.recall('properties') as number | undefined) ?? 0
  }

  set(property: string, known: HomieProperty | undefined): Change[] | string {
    const wasKnown = this.#message.recall(`property ${property}`) !== undefined
    const isKnown = known !== undefined && Object.keys(known).length > 0
    if (isKnown && !wasKnown && this.#count >= homiePropertiesMax) {
      return `there are ${homiePropertiesMax} properties already`
    }
    this.#count += Number(isKnown) - Number(wasKnown)
    this.#properties.set(property, isKnown ? known : undefined)
    return this.all
  }

  get all(): Change[] {
    const changes = [...this.#properties].map(
      ([property, known]): Change => ({
        key: `property ${property}`,
        value: known as Json | undefined,
      }),
    )
    const before = (this.#message.recall('properties') as number | undefined) ?? 0
    return this.#count === before ? changes : [...changes, { key: 'properties', value: this.#count }]
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
