/**
 * What Home Assistant is told, so that a gateway appears there by itself: one device with an entity for each rule, device
 * and link, as https://www.home-assistant.io/integrations/mqtt (device discovery) has them. Pure.
 *
 * Entities keep their unique ids for as long as what they are about keeps its name, so that what people have done with
 * them over there stays. Only what changes seldom is told: each message is retained, and retained messages are written.
 */
import { createHash } from 'node:crypto'
import type { Json } from '../reading.ts'

/** What there is to tell, by name. */
export type Facts = {
  readonly gateway: string
  readonly version: string
  /** Alerts that fire, or wait for somebody, by rule. */
  readonly rules: ReadonlyMap<string, number>
  /** Is it here? */
  readonly devices: ReadonlyMap<string, boolean>
  /** Is it connected? */
  readonly links: ReadonlyMap<string, boolean>
  /** What is wrong with the gateway itself, each in a word. */
  readonly problems: readonly string[]
  readonly isClockTrusted: boolean
}

/** Where all of it is published. */
export type Topics = { readonly config: string; readonly state: string; readonly availability: string }

/** With more the message would no longer fit the packets that brokers take: 200 take some 60 kB. */
const entitiesPerKindMax = 200

type Component = { readonly p: string; readonly [key: string]: Json }
export type Components = Readonly<Record<string, Component>>

export function topicsOf(prefix: string, gateway: string): Topics {
  const id = idOf(gateway)
  const own = `holdfast/discovery/${id}`
  return {
    config: `${prefix}/device/holdfast-${id}/config`,
    state: `${own}/state`,
    availability: `${own}/availability`,
  }
}

/** The entities. Those of `before` that are no more are named with nothing but their platform: that removes them. */
export function componentsOf(facts: Facts, before: ReadonlyMap<string, string>): Components {
  const id = idOf(facts.gateway)
  const components = new Map<string, Component>()
  const add = (
    key: string,
    name: string,
    platform: string,
    template: string,
    more: { readonly [key: string]: Json },
  ): void => {
    const unique = `holdfast_${id}_${key}`
    components.set(key, { p: platform, unique_id: unique, name, value_template: `{{ ${template} }}`, ...more })
  }
  const switchOf = (path: string): string => `'ON' if ${path} else 'OFF'`
  add('problem', 'Problem', 'binary_sensor', switchOf('value_json.problems'), {
    device_class: 'problem',
    entity_category: 'diagnostic',
    json_attributes_topic: topicsOf('', facts.gateway).state,
    json_attributes_template: "{{ {'problems': value_json.problems} | tojson }}",
  })
  add('alerts', 'Alerts', 'sensor', 'value_json.alerts', { icon: 'mdi:alert', state_class: 'measurement' })
  add('clock', 'Clock trusted', 'binary_sensor', switchOf('value_json.clock_trusted'), {
    entity_category: 'diagnostic',
  })
  for (const [rule] of first(facts.rules))
    add(`rule_${idOf(rule)}`, rule, 'binary_sensor', switchOf(`value_json.rules['${idOf(rule)}']`), {
      device_class: 'problem',
    })
  for (const [device] of first(facts.devices))
    add(`device_${idOf(device)}`, device, 'binary_sensor', switchOf(`value_json.devices['${idOf(device)}']`), {
      device_class: 'connectivity',
    })
  for (const [link] of first(facts.links))
    add(`link_${idOf(link)}`, `Link ${link}`, 'binary_sensor', switchOf(`value_json.links['${idOf(link)}']`), {
      device_class: 'connectivity',
      entity_category: 'diagnostic',
    })
  for (const [key, platform] of before) if (!components.has(key)) components.set(key, { p: platform })
  return Object.fromEntries(components)
}

/** The message of discovery. */
export function configOf(facts: Facts, topics: Topics, components: Components): Json {
  const name = `Holdfast ${facts.gateway}`
  return {
    device: {
      identifiers: [`holdfast-${idOf(facts.gateway)}`],
      name,
      manufacturer: 'Holdfast',
      sw_version: facts.version,
    },
    origin: { name: 'Holdfast', sw_version: facts.version },
    components,
    state_topic: topics.state,
    availability_topic: topics.availability,
    qos: 1,
  }
}

/** The message of the state. */
export function stateOf({ rules, devices, links, problems, isClockTrusted }: Facts): Json {
  return {
    alerts: [...rules.values()].reduce((sum, count) => sum + count, 0),
    problems,
    clock_trusted: isClockTrusted,
    rules: byId(rules),
    devices: byId(devices),
    links: byId(links),
  }
}

function first<T>(all: ReadonlyMap<string, T>): readonly (readonly [string, T])[] {
  return [...all].toSorted(([a], [b]) => (a < b ? -1 : 1)).slice(0, entitiesPerKindMax)
}

const byId = (all: ReadonlyMap<string, number | boolean>): Json =>
  Object.fromEntries(first(all).map(([name, value]) => [idOf(name), value]))

/** Home Assistant takes [A-Za-z0-9_-]: another name gets a few letters of its own, so that two stay two. */
function idOf(name: string): string {
  const plain = name.replace(/[^A-Za-z0-9_-]/g, '_')
  return plain === name ? name : `${plain}_${createHash('sha256').update(name).digest('hex').slice(0, 6)}`
}
