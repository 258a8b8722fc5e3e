/** What no single key of a source can know. Part of cross-checks.ts. Pure. */
import { compileTopic } from '../../adapters/topic.ts'
import type { Finding } from '../document.ts'
import { defaultTopic } from './route-schema.ts'
import type { ConfigFile } from './schema.ts'

export function sourceChecks({ sources = {}, routes }: Partial<ConfigFile>): Finding[] {
  const patterns = (routes ?? [{ topic: defaultTopic }]).map(({ topic }) => filterOfRoute(topic))
  const clientIds = new Map<string, string>()
  return Object.entries(sources).flatMap(([name, source]) => {
    const path = ['sources', name]
    const findings: Finding[] = []
    source.topics.forEach((topic, index) => {
      if (patterns.some(pattern => overlaps(pattern, topic.split('/')))) return
      const message = `no route takes anything of ${topic}: its messages would be acknowledged and thrown away`
      findings.push({ path: [...path, 'topics', index], message })
    })
    const id = `${source.client_id ?? `(default) ${name}`} ${source.url.host} ${source.url.port}`
    const other = clientIds.get(id)
    clientIds.set(id, name)
    if (other !== undefined) {
      const message = `source "${other}" has this client_id at the same broker: they would throw each other out`
      findings.push({ path: [...path, 'client_id'], message })
    }
    if (source.password !== undefined && source.username === undefined) {
      findings.push({ path: [...path, 'password'], message: 'MQTT has no password without a user: set username' })
    }
    return findings
  })
}

/** The levels of a route's topic, in MQTT's words. */
function filterOfRoute(topic: string): readonly string[] {
  const compiled = compileTopic(topic)
  if (!compiled.ok) return ['#']
  return topic.split('/').map(level => (level.startsWith('{') ? '+' : level))
}

/** Is there a topic that both filters match? */
function overlaps(one: readonly string[], other: readonly string[]): boolean {
  const [a, b] = [one[0], other[0]]
  if (a === '#' || b === '#') return true
  if (a === undefined || b === undefined) return a === b || one.length + other.length === 0
  return (a === b || a === '+' || b === '+') && overlaps(one.slice(1), other.slice(1))
}
