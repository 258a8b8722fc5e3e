/** What no single key of a source can know: that a route takes what it brings, that it is asked at all. Pure. */
import { isIP } from 'node:net'
import { compileTopic } from '../../adapters/topic.ts'
import type { Finding, Path } from '../document.ts'
import { isOfLan } from '../lan-address.ts'
import { defaultTopic } from './route-schema.ts'
import type { ConfigFile } from './schema.ts'

type Sections = Partial<ConfigFile>
type Source = ConfigFile['sources'][string]
type SourceOf<Kind extends Source['kind']> = Extract<Source, { kind: Kind }>

export function sourceChecks(sections: Sections): Finding[] {
  const { sources = {}, routes } = sections
  const filters = (routes ?? [{ topic: defaultTopic }]).map(({ topic }) => filterOfRoute(topic))
  return [
    ...Object.entries(sources).flatMap(([name, source]) => {
      const path = ['sources', name]
      switch (source.kind) {
        case 'mqtt':
          return mqttFaults(source, path, filters)
        case 'modbus-tcp':
          return [...rhythmFaults(source, path), ...modbusFaults(source, path)]
        case 'http-poll':
          return [...rhythmFaults(source, path), ...httpFaults(source, path, filters)]
      }
    }),
    ...clientIdsDiffer(sources),
  ]
}

type Filter = readonly string[]

function mqttFaults(
  { topics, password, password_file, username }: SourceOf<'mqtt'>,
  path: Path,
  routes: readonly Filter[],
) {
  const findings: Finding[] = topics.flatMap((topic, index) => {
    if (routes.some(route => overlaps(route, topic.split('/')))) return []
    const message = `no route takes anything of ${topic}: its messages would be acknowledged and thrown away`
    return [{ path: [...path, 'topics', index], message }]
  })
  const key = password === undefined ? 'password_file' : 'password'
  if ((password ?? password_file) !== undefined && username === undefined) {
    findings.push({ path: [...path, key], message: 'MQTT has no password without a user: set username' })
  }
  return findings
}

function rhythmFaults({ every, cron, zone }: SourceOf<'modbus-tcp' | 'http-poll'>, path: Path): Finding[] {
  if (every === undefined && cron === undefined) {
    return [{ path, message: 'nothing says when it is asked: set every, or cron', onKey: true }]
  }
  if (every !== undefined && cron !== undefined) {
    return [{ path: [...path, 'cron'], message: '"every" and "cron" exclude each other: keep one' }]
  }
  if (cron === undefined && zone !== undefined) {
    return [{ path: [...path, 'zone'], message: 'is the time zone of cron, which is not there' }]
  }
  return []
}

function modbusFaults({ device, points }: SourceOf<'modbus-tcp'>, path: Path): Finding[] {
  return points.flatMap((point, index) => {
    if ((point.device ?? device) !== undefined) return []
    return [{ path: [...path, 'points', index], message: 'belongs to no device: set device, here or for all points' }]
  })
}

function httpFaults({ url, topic }: SourceOf<'http-poll'>, path: Path, routes: readonly Filter[]): Finding[] {
  const findings: Finding[] = []
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '')
  if (isIP(host) !== 0 && !isOfLan(host)) {
    findings.push({
      path: [...path, 'url'],
      message: `${host} is not of the LAN, and nothing is fetched from elsewhere`,
    })
  }
  if (!routes.some(route => overlaps(route, topic.split('/')))) {
    findings.push({
      path: [...path, 'topic'],
      message: `no route takes ${topic}: nobody would know what the page means`,
    })
  }
  return findings
}

function clientIdsDiffer(sources: ConfigFile['sources']): Finding[] {
  const known = new Map<string, string>()
  return Object.entries(sources).flatMap(([name, source]) => {
    if (source.kind !== 'mqtt' || source.client_id === undefined) return []
    const id = `${source.client_id} ${source.url.host} ${source.url.port}`
    const other = known.get(id)
    known.set(id, other ?? name)
    if (other === undefined) return []
    const message = `source "${other}" has this client_id at the same broker: they would throw each other out`
    return [{ path: ['sources', name, 'client_id'], message }]
  })
}

/** The levels of a route's topic, in MQTT's words. */
function filterOfRoute(topic: string): Filter {
  const compiled = compileTopic(topic)
  if (!compiled.ok) return ['#']
  return topic.split('/').map(level => (level.startsWith('{') ? '+' : level))
}

/** Is there a topic that both filters match? */
function overlaps(one: Filter, other: Filter): boolean {
  const [a, b] = [one[0], other[0]]
  if (a === '#' || b === '#' || (a === undefined && b === undefined)) return true
  if (a === undefined || b === undefined) return false
  return (a === b || a === '+' || b === '+') && overlaps(one.slice(1), other.slice(1))
}

/** Home Assistant is told at the brokers of sources, and those are of kind mqtt. */
export function viaChecks({ sources = {}, home_assistant: homeAssistant }: Partial<ConfigFile>): Finding[] {
  const known = Object.entries(sources).flatMap(([name, { kind }]) => (kind === 'mqtt' ? [name] : []))
  return (homeAssistant?.via ?? []).flatMap((name, index) => {
    if (known.includes(name)) return []
    const hint = known.length === 0 ? 'there are none' : `there are: ${known.join(', ')}`
    return [{ path: ['home_assistant', 'via', index], message: `"${name}" is no source of kind mqtt; ${hint}` }]
  })
}
