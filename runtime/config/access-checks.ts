/** What the keys of access must say of each other. Pure. */
import { type Finding, nearestName } from '../document.ts'
import { builtInRoles } from './access-schema.ts'
import type { ConfigFile } from './schema.ts'

/** A role that nobody wrote would let nobody do anything, without a word. */
export function accessChecks({ broker }: Partial<ConfigFile>): Finding[] {
  const { anonymous, roles = {} } = broker ?? {}
  const names = [...Object.keys(builtInRoles), ...Object.keys(roles)]
  if (anonymous === undefined || names.includes(anonymous)) return []
  const nearest = nearestName(anonymous, names)
  const meant = nearest === undefined ? `: there are ${names.join(', ')}` : `; did you mean "${nearest}"?`
  return [{ path: ['broker', 'anonymous'], message: `there is no role "${anonymous}"${meant}` }]
}
