/**
 * The Homie convention, version 4: a device describes itself in retained topics, says `ready`, and each property is a topic.
 * A metric is named NODE.PROPERTY. The broker says `lost` when the connection is torn.
 */
import { kindOf, type Metric, type SensorValue } from '../waves.ts'
import type { Format, GarbageKind, Measured, Payload, Said, Speaker } from './format.ts'
import { garbagePayload } from './garbage.ts'

const datatypes = { number: 'float', boolean: 'boolean', string: 'string' } as const

export const homie: Format = {
  name: 'homie',
  topic: 'homie/{device}',
  // A property whose datatype is taken back and comes again with the next connection; what somebody asks of a property; a
  // device that says that it needs a person.
  faults: ['no-datatype', 'set', 'alert'],
  complaint: (_device, metrics) =>
    metrics.some(({ name }) => !/^[^.$]+\.[^$]/.test(name)) ? 'a metric is named NODE.PROPERTY' : undefined,
  open: speaker => {
    const untyped = new Set<string>()
    return {
      reading: measured => ({
        topic: propertyOf(speaker, measured.metric.name),
        payload: payloadOf(measured.value),
        id: undefined,
        timeMs: undefined,
      }),
      beside: ({ metric }, fault) => {
        const property = propertyOf(speaker, metric.name)
        if (fault === 'set') return { kind: 'chatter', topic: `${property}/set`, payload: '1' }
        if (fault === 'alert') return { kind: 'chatter', topic: `${speaker.topic}/$state`, payload: 'alert' }
        if (fault !== 'no-datatype') return undefined
        untyped.add(metric.name)
        return { kind: 'chatter', topic: `${property}/$datatype`, payload: '' }
      },
      garbage: (kind, measured) => garbageOf(kind, measured, untyped.has(measured.metric.name)),
      manners: {
        will: () => attribute(speaker, '$state', 'lost'),
        greeting: () => [
          attribute(speaker, '$state', 'init'),
          ...description(speaker),
          attribute(speaker, '$state', 'ready'),
        ],
        farewell: () => [attribute(speaker, '$state', 'disconnected')],
      },
    }
  },
}

/** A node and a property have a level each. */
function propertyOf({ topic }: Speaker, metric: string): string {
  return `${topic}/${metric.replace('.', '/')}`
}

/** A text of nothing is one byte of zero, since no bytes at all take a property back. */
function payloadOf(value: SensorValue): string {
  return value === '' ? '\0' : String(value)
}

/** What is no text at all is garbage in any property; the rest only where a datatype says otherwise. */
function garbageOf(kind: GarbageKind, measured: Measured, isUntyped: boolean): Payload | undefined {
  const datatype = isUntyped ? undefined : kindOf(measured.metric)
  const takesTexts = datatype === undefined || datatype === 'string'
  if (kind === 'empty' || (takesTexts && kind !== 'binary')) return undefined
  return garbagePayload(kind, measured)
}

function description(speaker: Speaker): Said[] {
  const nodes = new Map<string, Metric[]>()
  for (const metric of speaker.metrics) {
    const node = metric.name.slice(0, metric.name.indexOf('.'))
    nodes.set(node, [...(nodes.get(node) ?? []), metric])
  }
  return [
    attribute(speaker, '$homie', '4.0.0'),
    attribute(speaker, '$name', speaker.name),
    attribute(speaker, '$nodes', [...nodes.keys()].join(',')),
    ...[...nodes].flatMap(([node, metrics]) => [
      attribute(speaker, `${node}/$name`, node),
      attribute(speaker, `${node}/$properties`, metrics.map(({ name }) => name.slice(node.length + 1)).join(',')),
      ...metrics.flatMap(metric => propertyDescription(speaker, metric)),
    ]),
  ]
}

function propertyDescription(speaker: Speaker, metric: Metric): Said[] {
  const property = metric.name.replace('.', '/')
  const kind = kindOf(metric)
  return [
    attribute(speaker, `${property}/$name`, metric.name),
    ...(kind ? [attribute(speaker, `${property}/$datatype`, datatypes[kind])] : []),
    ...(metric.unit ? [attribute(speaker, `${property}/$unit`, metric.unit)] : []),
    attribute(speaker, `${property}/$retained`, 'false'),
  ]
}

function attribute({ topic }: Speaker, name: string, payload: string): Said {
  return { topic: `${topic}/${name}`, payload, retain: true }
}
