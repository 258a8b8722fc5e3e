/**
 * The keys of a route: those that every route has, and those of its adapter. Pure. A route may name an adapter that others
 * wrote; its options are checked by its own schema, as those of the adapters that are built in.
 */
import { z } from 'zod'
import type { AdapterKind } from '../../adapters/adapter.ts'
import { metricsOption } from '../../adapters/adjusted.ts'
import { adapterKinds, defaultAdapterName } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import { routesMax } from '../limits.ts'
import { type OutsideAdapter, outsideName } from './outside-adapters.ts'
import { tableName, withWords, words } from './values.ts'

/** The one route of a configuration that has none. */
export const defaultTopic = 'sensors/{device}/{metric}'

const topic = z.string().superRefine((text, context) => {
  const compiled = compileTopic(text)
  if (!compiled.ok) context.addIssue({ code: 'custom', message: compiled.reason })
})
words.add(topic, { type: 'topic' })

const routeKeys = {
  topic: topic.describe(
    'The topics it takes: {device} and {metric} name a level, + is any level, a last # is all the rest.',
  ),
  table: tableName.default('readings').describe('The series table that the readings go to.'),
  metrics: metricsOption,
}

/** One shape for each adapter: the keys of every route, and the keys that this adapter alone knows. */
function routeOf(kind: AdapterKind) {
  const name = z.literal(kind.name)
  const adapter = kind.name === defaultAdapterName ? withWords(name.optional(), { fallback: kind.name }) : name
  return z.strictObject({
    ...routeKeys,
    adapter: adapter.describe(`${kind.name}: ${kind.sentence}.`),
    ...kind.options.shape,
  })
}

/** Of an adapter that is not loaded nobody knows the options. */
function routeOfUnknown(name: string) {
  return z.looseObject({ ...routeKeys, adapter: z.literal(name) })
}

/** The same for editors, which load nothing: a route of any adapter that others wrote. */
export const outsideRoute = z.looseObject({
  ...routeKeys,
  adapter: z
    .string()
    .regex(outsideName)
    .describe('An adapter that others wrote, by package or file: docs/adapters.md.'),
})

const [firstAdapter, ...otherAdapters] = adapterKinds
const ownRoutes = [routeOf(firstAdapter), ...otherAdapters.map(routeOf)] as const

export function routesOf(outside: readonly (readonly [name: string, adapter: OutsideAdapter])[]) {
  const others = outside.map(([name, adapter]) =>
    // One more form of route; its keys are options to whoever reads them.
    adapter.kind === 'loaded' ? routeOf(adapter.adapter) : (routeOfUnknown(name) as unknown as (typeof ownRoutes)[0]),
  )
  const route = z.discriminatedUnion('adapter', [...ownRoutes, ...others])
  return withWords(z.array(route).max(routesMax).optional(), { fallback: `one route for ${defaultTopic}` }).describe(
    'What arrives and where it goes: the first route whose topic fits takes the message. An adapter that others wrote is named by package or file (adapters.md).',
  )
}

export const defaultRoute = routeOf(firstAdapter).parse({ topic: defaultTopic })
