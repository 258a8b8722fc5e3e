/**
 * What no single key of the configuration can know: that the table of a route exists, that two bridges do not fight over
 * one stream. Each check is a function over the sections that are right by themselves (another may be missing because it
 * is wrong), and points at the key to change. Pure.
 */
import type { AdapterKind, NameSource } from '../../adapters/adapter.ts'
import { defaultAdapterName, findAdapterKind } from '../../adapters/open.ts'
import { compileTopic } from '../../adapters/topic.ts'
import { type Finding, nearestName, type Path } from '../document.ts'
import { accessChecks } from './access-checks.ts'
import { addressChecks } from './address-checks.ts'
import { listenerChecks } from './listener-checks.ts'
import { usualListener } from './listeners.ts'
import type { OutsideAdapters } from './outside-adapters.ts'
import { plainBrokerChecks } from './plain-broker-checks.ts'
import { builtInTables, type ConfigFile, type TableKind } from './schema.ts'
import { sourceChecks, viaChecks } from './source-checks.ts'
import { selections } from './selection-checks.ts'
import type { Address } from './values.ts'

export type Sections = Partial<ConfigFile>
export type Tables = ReadonlyMap<string, TableKind>

export function crossChecks(sections: Sections, outside: OutsideAdapters): Finding[] {
  const tables = sections.tables === undefined ? undefined : allTables(sections.tables)
  return [
    ...builtInTablesKeepTheirKind(sections),
    ...rollupsAreOfReadings(sections),
    ...routesNameEverything(sections, outside),
    ...routesAreReached(sections),
    ...idsAgree(sections),
    ...listenersDoNotOverlap(sections),
    ...listenerChecks(sections),
    ...accessChecks(sections),
    ...bridgeNamesDiffer(sections),
    ...streamsHaveOneBridge(sections),
    ...hubKnowsItsGateways(sections),
    ...addressChecks(sections),
    ...parkedRowsStay(sections),
    ...plainBrokerChecks(sections, tables),
    ...sourceChecks(sections),
    ...viaChecks(sections),
    ...(tables
      ? [
          ...routeTables(sections, tables),
          ...bridgeTables(sections, tables),
          ...selections(sections, tables),
          ...hubTables(sections, tables),
        ]
      : []),
  ]
}

/** The tables of a configuration, the built-in ones first. */
export function allTables(tables: ConfigFile['tables']): Tables {
  const named = Object.entries(tables).map(([name, { kind }]): [string, TableKind] => [name, kind])
  return new Map<string, TableKind>([...Object.entries(builtInTables), ...named])
}

function builtInTablesKeepTheirKind({ tables = {} }: Sections): Finding[] {
  return Object.entries(builtInTables).flatMap(([name, kind]) => {
    const given = Object.hasOwn(tables, name) ? tables[name]?.kind : undefined
    if (given === undefined || given === kind) return []
    return [{ path: ['tables', name, 'kind'], message: `"${name}" is built in and always of kind ${kind}` }]
  })
}

function rollupsAreOfReadings({ tables = {} }: Sections): Finding[] {
  return Object.entries(tables).flatMap(([name, { kind, rollups }]) => {
    if (rollups.length === 0 || (builtInTables[name as keyof typeof builtInTables] ?? kind) === 'series') return []
    return [{ path: ['tables', name, 'rollups'], message: 'only a table of kind series has readings to roll up' }]
  })
}

function tableFault(name: string, tables: Tables): string | undefined {
  if (tables.has(name)) return undefined
  const nearest = nearestName(name, tables.keys())
  return `there is no table "${name}"${nearest ? `; did you mean "${nearest}"?` : ': name it under "tables"'}`
}

function unknownTables(names: readonly string[], path: Path, tables: Tables): Finding[] {
  return names.flatMap((name, index) => {
    const message = tableFault(name, tables)
    return message === undefined ? [] : [{ path: [...path, index], message }]
  })
}

function routeTables({ routes = [] }: Sections, tables: Tables): Finding[] {
  return routes.flatMap(({ table }, index) => {
    const fault = tableFault(table, tables)
    const path = ['routes', index, 'table']
    if (fault !== undefined) return [{ path, message: fault }]
    if (tables.get(table) === 'series') return []
    return [{ path, message: `"${table}" is a records table; readings need a series table` }]
  })
}

/** Every reading has a device and a metric: the topic gives them, or the payload. */
function routesNameEverything({ routes = [] }: Sections, outside: OutsideAdapters): Finding[] {
  return routes.flatMap((route, index) => {
    const compiled = compileTopic(route.topic)
    const kind = kindOf(route.adapter ?? defaultAdapterName, outside)
    if (!compiled.ok || !kind) return []
    const { names } = compiled.pattern
    return (['device', 'metric'] as const satisfies readonly NameSource[]).flatMap(name => {
      const options = kind.nameOptions[name]
      if (names.includes(name) || options === 'always' || options.some(option => isSet(route, option))) return []
      return [{ path: ['routes', index, 'topic'], message: missingName(name, names, options) }]
    })
  })
}

function kindOf(name: string, outside: OutsideAdapters): AdapterKind | undefined {
  const other = outside.get(name)
  return other?.kind === 'loaded' ? other.adapter : findAdapterKind(name)
}

function missingName(name: NameSource, names: readonly string[], options: readonly string[]): string {
  const others = names.filter(other => other !== 'device' && other !== 'metric')
  const meant = nearestName(name, others)
  const ways = [`write {${name}} for a level of the topic`, ...options.map(option => `set ${option}`)]
  return `nothing names the ${name} of its readings: ${meant ? `did you mean {${name}} for {${meant}}?` : ways.join(', or ')}`
}

function isSet(route: object, option: string): boolean {
  let value: unknown = route
  for (const key of option.split('.')) value = (value as Record<string, unknown> | undefined)?.[key]
  return value !== undefined
}

function routesAreReached({ routes = [] }: Sections): Finding[] {
  return routes.flatMap(({ topic }, index) => {
    const first = routes.findIndex(other => other.topic === topic)
    if (first === index) return []
    return [{ path: ['routes', index, 'topic'], message: `never reached: route ${first + 1} has this topic already` }]
  })
}

function idsAgree({ gateway, hub }: Sections): Finding[] {
  if (gateway?.id === undefined || hub?.id === undefined || gateway.id === hub.id) return []
  return [
    { path: ['hub', 'id'], message: `differs from gateway.id "${gateway.id}": one store is one origin; leave one out` },
  ]
}

function listenersDoNotOverlap({ broker, hub }: Sections): Finding[] {
  const hubListen = hub?.broker === undefined ? hub?.listen : []
  const listeners = [
    ...listenersOf('broker', broker && (broker.listen ?? [usualListener])),
    ...listenersOf('hub', hubListen),
  ]
  return listeners.flatMap(({ path, address }, index) => {
    const other = listeners.slice(0, index).find(before => overlap(before.address, address))
    if (!other) return []
    return [
      { path, message: `${addressText(address)} is taken by ${other.path[0]}.listen (${addressText(other.address)})` },
    ]
  })
}

function listenersOf(room: string, addresses: readonly Address[] = []): { path: Path; address: Address }[] {
  return addresses.map((address, index) => ({ path: [room, 'listen', index], address }))
}

/** Port 0 takes any free port. One that listens on every interface listens on each. */
function overlap(one: Address, other: Address): boolean {
  const everywhere = [one.host, other.host].some(host => host === '0.0.0.0' || host === '::')
  return one.port !== 0 && one.port === other.port && (everywhere || one.host === other.host)
}

export function addressText({ host, port }: Address): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function bridgeNamesDiffer({ bridges = [] }: Sections): Finding[] {
  return bridges.flatMap(({ name }, index) => {
    if (bridges.findIndex(other => other.name === name) === index) return []
    return [{ path: ['bridges', index, 'name'], message: `there is a bridge "${name}" already` }]
  })
}

function bridgeTables({ bridges = [] }: Sections, tables: Tables): Finding[] {
  return bridges.flatMap(({ publish, subscribe, target }, index) => {
    const [up, path] = [publish.map(({ table }) => table), ['bridges', index]]
    return [
      ...unknownTables(up, [...path, 'publish'], tables),
      ...(target === 'hub' ? staysHere(up, [...path, 'publish']) : []),
      ...unknownTables(subscribe, [...path, 'subscribe'], tables),
      ...staysHere(subscribe, [...path, 'subscribe']),
      ...ownDevices(subscribe, [...path, 'subscribe']),
    ]
  })
}

/** A peer that could write what was put aside could have anything applied in anybody's name. */
function staysHere(names: readonly string[], path: Path): Finding[] {
  const message = '"parked" stays where it is: each side looks after what it has put aside'
  return names.flatMap((name, index) => (name === 'parked' ? [{ path: [...path, index], message }] : []))
}

/** Two that write one row overwrite each other: what the cloud says of a device has a table of its own. */
function ownDevices(names: readonly string[], path: Path): Finding[] {
  const message = 'each gateway writes its own "devices": labels come down in the table "device_labels"'
  return names.flatMap((name, index) => (name === 'devices' ? [{ path: [...path, index], message }] : []))
}

/** The far side keeps one position for each table of this origin: two streams that move it would lose entries. */
function streamsHaveOneBridge({ bridges = [] }: Sections): Finding[] {
  const seen = new Map<string, string>()
  return bridges.flatMap((bridge, index) =>
    (['publish', 'subscribe'] as const).flatMap(direction =>
      bridge[direction].flatMap((entry, place) => {
        // A plain broker keeps no position: there one table may go to several topics.
        if (bridge.target === 'broker') return []
        const table = typeof entry === 'string' ? entry : entry.table
        const stream = `${direction} ${table} ${bridge.url.host} ${bridge.url.port}`
        const other = seen.get(stream)
        seen.set(stream, other ?? bridge.name)
        if (other === undefined) return []
        const message = `bridge "${other}" has this stream already: one table goes one way to one far side once`
        return [{ path: ['bridges', index, direction, place], message }]
      }),
    ),
  )
}

function hubTables({ hub }: Sections, tables: Tables): Finding[] {
  return [
    ...unknownTables(hub?.accept ?? [], ['hub', 'accept'], tables),
    ...unknownTables(hub?.offer ?? [], ['hub', 'offer'], tables),
    ...staysHere(hub?.accept ?? [], ['hub', 'accept']),
    ...staysHere(hub?.offer ?? [], ['hub', 'offer']),
  ]
}

/** Each side's parked rows are about its own streams: those of another, tried again here, would be applied here. */
function parkedRowsStay({ bridges = [], hub }: Sections): Finding[] {
  const lists: [Path, readonly string[]][] = [
    ...bridges.flatMap(({ publish, subscribe }, index): [Path, readonly string[]][] => [
      [['bridges', index, 'publish'], publish.map(({ table }) => table)],
      [['bridges', index, 'subscribe'], subscribe],
    ]),
    [['hub', 'accept'], hub?.accept ?? []],
    [['hub', 'offer'], hub?.offer ?? []],
  ]
  return lists.flatMap(([path, tables]) => {
    const place = tables.indexOf('parked')
    const message = 'parked rows stay where they are: "parked" does not travel; leave it out'
    return place === -1 ? [] : [{ path: [...path, place], message }]
  })
}

/** A hub that anybody on the network may write to is never what was meant. */
function hubKnowsItsGateways({ hub }: Sections): Finding[] {
  if (!hub) return []
  if (hub.broker !== undefined) return brokerKnowsTheGateways(hub)
  // Who has a certificate of the hub's own authority is known by it.
  if (hub.tls?.ca !== undefined) return []
  const open = hub.gateways === undefined ? hub.listen.findIndex(({ host }) => !isLoopback(host)) : -1
  const unnamed = Object.entries(hub.gateways ?? {}).filter(
    ([, keys]) => keys.password === undefined && keys.password_file === undefined,
  )
  return [
    ...(open === -1
      ? []
      : [
          {
            path: ['hub', 'listen', open],
            message:
              'without hub.gateways the hub may listen on this machine alone (127.0.0.1): name the gateways and their passwords',
          },
        ]),
    ...unnamed.map(([id]) => ({
      path: ['hub', 'gateways', id],
      message: `gateway "${id}" needs a password: set password_file or password`,
      onKey: true,
    })),
  ]
}

/** Behind a broker the hub sees topics, no connections: what would be about those must not look as if it were held to. */
function brokerKnowsTheGateways(hub: NonNullable<ConfigFile['hub']>): Finding[] {
  return (['gateways', 'tls'] as const)
    .filter(key => hub[key] !== undefined)
    .map(key => ({
      path: ['hub', key],
      message: `with hub.broker the hub does not listen: users, passwords and certificates are that broker's; leave ${key} out`,
      onKey: true,
    }))
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host)
}
