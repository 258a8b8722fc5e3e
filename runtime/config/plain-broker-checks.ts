/**
 * What can be wrong with the streams to a plain broker: templates that name what their table does not have, and keys that
 * mean nothing there. Part of cross-checks.ts. Pure.
 */
import { anyOf, type Finding, nearestName, type Path } from '../document.ts'
import { namesInPayload, payloadNames } from '../payload-template.ts'
import { compileTopicTemplate, topicNames } from '../topic-template.ts'
import type { ConfigFile, TableKind } from './schema.ts'

type Bridge = ConfigFile['bridges'][number]
type Published = Bridge['publish'][number]
type Check = { readonly entry: Published; readonly path: Path; readonly kind: TableKind | undefined }

/** The names of a topic template that an entry of this kind has nothing for. */
const missingIn: Readonly<Record<TableKind, readonly string[]>> = {
  series: ['key'],
  records: ['device', 'metric', 'unit'],
}

export function plainBrokerChecks(
  { bridges = [] }: Partial<ConfigFile>,
  tables: ReadonlyMap<string, TableKind> | undefined,
): Finding[] {
  return bridges.flatMap((bridge, index) => {
    const path = ['bridges', index]
    const streams = bridge.publish.map((entry, place): Check => {
      return { entry, path: [...path, 'publish', place], kind: tables?.get(entry.table) }
    })
    return bridge.target === 'broker'
      ? [...nothingComesDown(bridge, path), ...eachTableOnce(streams), ...streams.flatMap(checkStream)]
      : streams.flatMap(templatesAreForBrokers)
  })
}

function templatesAreForBrokers({ entry, path }: Check): Finding[] {
  return (['topic', 'payload'] as const)
    .filter(key => entry[key] !== undefined)
    .map(key => ({
      path: [...path, key],
      message: `a hub has topics of its own: ${key} is for a bridge with target: broker`,
      onKey: true,
    }))
}

function nothingComesDown({ subscribe }: Bridge, path: Path): Finding[] {
  if (subscribe.length === 0) return []
  const message =
    'tables come down from a hub alone: leave subscribe out with target: broker, or take the messages in with routes'
  return [{ path: [...path, 'subscribe'], message, onKey: true }]
}

function eachTableOnce(streams: readonly Check[]): Finding[] {
  return streams.flatMap(({ entry: { table }, path }, index) => {
    const isFirst = streams.findIndex(({ entry }) => entry.table === table) === index
    const message = `"${table}" is here twice: for a second topic write a second bridge to the same broker`
    return isFirst ? [] : [{ path, message }]
  })
}

function checkStream(check: Check): Finding[] {
  return [...comesInOrder(check), ...topicFaults(check), ...payloadFaults(check)]
}

/** A key that would not be held to is refused, rather than taken and forgotten. */
function comesInOrder({ entry, path }: Check): Finding[] {
  if (!entry.live_first) return []
  const message =
    'a plain broker gets the entries of a table in their order, so that one cursor says what it has: leave live_first out'
  return [{ path: [...path, 'live_first'], message, onKey: true }]
}

function topicFaults({ entry: { topic, table }, path, kind }: Check): Finding[] {
  if (topic === undefined) return []
  const compiled = compileTopicTemplate(topic)
  const at = [...path, 'topic']
  if (!compiled.ok) return [{ path: at, message: compiled.reason }]
  const missing = kind === undefined ? [] : missingIn[kind]
  const unknown = compiled.template.names.find(name => missing.includes(name))
  if (unknown === undefined) return []
  const known = topicNames.filter(name => !missing.includes(name)).map(name => `{${name}}`)
  return [{ path: at, message: `an entry of the ${kind} table "${table}" has no {${unknown}}: it has ${anyOf(known)}` }]
}

function payloadFaults({ entry: { payload, table }, path, kind }: Check): Finding[] {
  if (payload === undefined || kind === undefined) return []
  const names: readonly string[] = payloadNames[kind]
  const unknown = namesInPayload(payload).find(name => !names.includes(name))
  if (unknown === undefined) return []
  const nearest = nearestName(unknown, names)
  const hint = nearest ? `did you mean {${nearest}}?` : `it has ${anyOf(names.map(name => `{${name}}`))}`
  return [
    { path: [...path, 'payload'], message: `an entry of the ${kind} table "${table}" has no {${unknown}}: ${hint}` },
  ]
}
